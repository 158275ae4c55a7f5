package log

import (
	"bytes"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

func FuzzParseMeta(f *testing.F) {
	f.Add(Meta{ClusterID: "c", NodeID: 3, DirectoryID: kafka.DirectoryID{7}}.Format())
	f.Add([]byte("#\n#Sat Nov 21 07:28:47 UTC 2026\nnode.id=1\nversion=1\ncluster.id=a\\=b\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseMeta(data)
		if err != nil {
			return
		}
		if m.NodeID < 0 || m.ClusterID == "" {
			t.Fatalf("accepted %+v", m)
		}
	})
}

func FuzzParseTopicID(f *testing.F) {
	f.Add(formatTopicID(topicID))
	f.Fuzz(func(t *testing.T, data []byte) {
		id, err := ParseTopicID(data)
		if err != nil {
			return
		}
		if again, err := ParseTopicID(formatTopicID(id)); err != nil || again != id {
			t.Fatalf("%v came back as %v, %v", id, again, err)
		}
	})
}

func FuzzParseMarker(f *testing.F) {
	f.Add(formatMarker(13))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		if e := parseMarker(data); parseMarker(formatMarker(e)) != e {
			t.Fatalf("broker epoch %d", e)
		}
	})
}

func FuzzParseDirName(f *testing.F) {
	f.Add("t-0")
	f.Add(deletedName(tp, topicID))
	f.Fuzz(func(t *testing.T, name string) {
		p, ok := ParseDirName(name)
		if !ok {
			return
		}
		if p.Kind == Current && (p.Partition.Partition < 0 || p.Partition.Topic == "") {
			t.Fatalf("%q is %+v", name, p)
		}
		if p.Kind == Deleted && len(name) < deletedSuffixBytes {
			t.Fatalf("%q counts as deleted", name)
		}
	})
}

// FuzzOpen opens a partition directory whose files hold any bytes: it opens or is refused as corrupt, never otherwise, and
// what it says then can be read, or is corrupt.
func FuzzOpen(f *testing.F) {
	r := threes(&testing.T{}, 3)
	must.OK(r.l.Close(r.now))
	f.Add(r.file("00000000000000000000.log"), r.file("00000000000000000000.index"), r.file("00000000000000000000.timeindex"),
		[]byte{}, r.file("00000000000000000009.snapshot"), r.file("00000000000000000009.producers"), r.file("leader-epoch-checkpoint"), true, int64(9), int64(0))
	f.Add(r.file("00000000000000000000.log"), []byte{}, []byte{}, []byte{}, []byte{}, []byte{}, []byte{}, false, int64(0), int64(0))
	f.Fuzz(func(t *testing.T, log, index, times, txns, snapshot, history, epochs []byte, clean bool, recovery, start int64) {
		if recovery%2 == 0 {
			log = bytes.Clone(log)
			for rest := log; len(rest) > record.HeaderSize; { // the right CRC, so that what lies behind it is reached
				b, more, err := record.Next(rest)
				if err != nil {
					break
				}
				b.Seal()
				rest = more
			}
		}
		mem := disk.NewMem()
		must.OK(mem.MkdirAll("t-0"))
		for name, data := range map[string][]byte{
			"00000000000000000000.log": log, "00000000000000000000.index": index, "00000000000000000000.timeindex": times,
			"00000000000000000000.txnindex": txns, "00000000000000000009.snapshot": snapshot, "00000000000000000009.producers": history,
			"leader-epoch-checkpoint": epochs,
		} {
			must.OK(writeFile(mem, "t-0/"+name, data))
		}
		l, err := Open(Options{
			FS: mem, Path: "t-0", Partition: tp, Config: DefaultConfig(), Clean: clean,
			RecoveryPoint: kafka.Offset(max(recovery, 0)), LogStart: kafka.Offset(max(start, 0)),
		})
		corrupt := func(err error) bool {
			if err != nil && !fault.IsKind(err, fault.Corrupt) {
				t.Fatalf("%v", err)
			}
			return err != nil
		}
		if corrupt(err) {
			return
		}
		o := l.Offsets()
		if o.LogStart > o.End || o.Durable > o.End {
			t.Fatalf("offsets %+v", o)
		}
		_, err = readAllOf(l, o.LogStart)
		corrupt(err)
		_, _, err = l.OffsetForTimestamp(1)
		corrupt(err)
		_, _, err = l.MaxTimestamp()
		corrupt(err)
		_, err = l.AbortedTransactions(o.LogStart, o.End)
		corrupt(err)
		if o.End > 1<<62 {
			return
		}
		if _, err := l.AppendAsLeader(kafka.Instant{}, nobody.batch(0, "next"), 1<<30, Client); corrupt(err) {
			return
		}
		must.OK(l.Close(kafka.Instant{}))
		again, err := Open(Options{FS: mem, Path: "t-0", Partition: tp, Config: DefaultConfig(), Clean: true, RecoveryPoint: o.End + 1, LogStart: o.LogStart})
		if !corrupt(err) && again.Offsets().End != o.End+1 {
			t.Fatalf("after a clean stop at %d the log ends at %d", o.End+1, again.Offsets().End)
		}
	})
}

// FuzzOpenDir opens a log directory whose own files hold any bytes.
func FuzzOpenDir(f *testing.F) {
	f.Add([]byte("cluster.id=c\nnode.id=1\nversion=1\n"), []byte("0\n1\nt 0 5\n"), []byte("0\n0\n"), []byte(`{"version":0,"brokerEpoch":3}`), "t-0")
	f.Fuzz(func(t *testing.T, meta, recovery, start, marker []byte, name string) {
		mem := disk.NewMem()
		must.OK(mem.MkdirAll(root))
		if mem.MkdirAll(root+"/"+name) != nil {
			return
		}
		for file, data := range map[string][]byte{metaFile: meta, recoveryPointFile: recovery, logStartFile: start, cleanFile: marker} {
			if writeFile(mem, root+"/"+file, data) != nil {
				return
			}
		}
		d, err := OpenDir(mem, root, Identity{NodeID: 1})
		if err != nil {
			return
		}
		must.OK(d.CloseClean(1, checkpoint.Offsets{}, checkpoint.Offsets{}))
		if len(d.Damaged) > 3 {
			t.Fatalf("%v", d.Damaged)
		}
	})
}
