package node

import (
	"errors"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/golden"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/staterecord"
	"github.com/milena-io/milena/internal/world"
)

// takeOver is a rig on a golden data directory of Apache Kafka.
func takeOver(t *testing.T, archive string) *rig {
	t.Helper()
	r := unbooted(t)
	for _, e := range golden.Read(t, archive) {
		if e.Dir || e.Name == "DUMP.txt" {
			continue
		}
		name := "data/" + e.Name
		must.OK(r.fs.MkdirAll(path.Dir(name)))
		to := must.Get(r.fs.Open(name, disk.Write|disk.Create))
		must.Get(to.WriteAt(e.Data, 0))
		must.OK(errors.Join(to.Sync(), to.Close()))
		for dir := path.Dir(name); ; dir = path.Dir(dir) {
			must.OK(r.fs.SyncDir(dir))
			if dir == "." {
				break
			}
		}
	}
	return r
}

const archives = "../migrate/testdata/kafka-4.3.1/"

func TestADirectoryOfKafkaIsServedInPlace(t *testing.T) {
	r := takeOver(t, archives+"static.tar.gz")
	r.logs.info = true
	r.boot()
	img := r.n.feed.Image()
	if img.Feature(staterecord.FeatureTransaction) != 2 || r.n.control.KRaftVersion() != 0 {
		t.Errorf("transaction.version %d, kraft.version %d: both stay as they were found", img.Feature(staterecord.FeatureTransaction), r.n.control.KRaftVersion())
	}
	versions := kmsg.NewPtrApiVersionsRequest()
	versions.Version, versions.ClientSoftwareName, versions.ClientSoftwareVersion = 4, "test", "1"
	for _, f := range ask[*kmsg.ApiVersionsResponse](r, versions).FinalizedFeatures {
		if f.Name != staterecord.FeatureMetadataVersion && f.Name != staterecord.FeatureElr {
			t.Errorf("clients hear of %s at %d, which is not built or off", f.Name, f.MaxVersionLevel)
		}
	}
	if p := r.read("work", 1, 0); p.ErrorCode != 0 || p.HighWatermark != 3 || len(values(t, p.RecordBatches)) != 3 {
		t.Errorf("work-1: %+v", p)
	}
	if p := r.read("work", 0, 0); p.ErrorCode != 0 || p.HighWatermark != 7 || p.LastStableOffset != 7 {
		t.Errorf("work-0, which has transactions: error %d, high watermark %d, last stable %d", p.ErrorCode, p.HighWatermark, p.LastStableOffset)
	}
	if p := r.write("work", 1, plain("ours")); p.ErrorCode != 0 || p.BaseOffset != 3 {
		t.Errorf("write: %+v", p)
	}
	r.restart()
	r.kill()
	if p := r.read("work", 1, 0); p.ErrorCode != 0 || p.HighWatermark != 4 {
		t.Errorf("after a clean stop and a kill: %+v", p)
	}
	if n := strings.Count(strings.Join(r.logs.all, "\n"), "Continuing the data of Apache Kafka"); n != 1 {
		t.Errorf("Kafka ran last %d times", n)
	}
}

func TestWhatIsNotBuiltIsRefusedBeforeAByteIsTouched(t *testing.T) {
	r := takeOver(t, archives+"refused.tar.gz")
	writes := 0
	watched := disk.NewFaulty(r.fs)
	for _, op := range []disk.Op{disk.OpWrite, disk.OpTruncate, disk.OpRename, disk.OpRemove, disk.OpRemoveAll} {
		watched.Add(disk.Fault{Op: op, Slow: func() { writes++ }})
	}
	r.proc = world.NewProcess(r.w)
	o := r.options()
	o.FS = watched
	_, err := Start(o, func(error) { t.Error("a start that is refused is not ready") })
	if err == nil || !strings.Contains(err.Error(), "User:alice") || !strings.Contains(err.Error(), "modern (consumer)") || !strings.Contains(err.Error(), "milena migrate check") {
		t.Errorf("refused: %v", err)
	}
	if writes > 0 {
		t.Errorf("%d writes", writes)
	}
	if lock, err := r.fs.Lock("data/.lock"); err != nil {
		t.Errorf("the lock was not given back: %v", err)
	} else {
		_ = lock.Close()
	}
}

// TestKafkasMarkerDoesNotSpeakOfTheMetadataLog: Kafka writes the marker and closes the metadata log after it, so a tail
// that was torn then is cut, although the directory is clean.
func TestKafkasMarkerDoesNotSpeakOfTheMetadataLog(t *testing.T) {
	r := takeOver(t, archives+"static.tar.gz")
	entries := must.Get(r.fs.List("data/__cluster_metadata-0"))
	for _, e := range entries {
		if strings.HasSuffix(e.Name, ".log") {
			f := must.Get(r.fs.Open("data/__cluster_metadata-0/"+e.Name, disk.Write))
			tail := record.NewControl(kafka.Offset(192), 1, 1, record.ControlRecord{Type: record.ControlLeaderChange, Value: record.LeaderChange{Leader: 1}.Append(nil)})
			tail[len(tail)-1] ^= 1 // the CRC tells
			must.Get(f.WriteAt(tail, e.Size))
			must.OK(errors.Join(f.Sync(), f.Close()))
		}
	}
	r.boot()
	r.w.Run(time.Second)
	if cut := r.n.metadata.Load().Recovered; cut.Clean || cut.BytesCut == 0 {
		t.Errorf("the metadata log was opened as %+v", log.Recovery(cut))
	}
}
