package node

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/world"
)

func deleting(topic string) *kmsg.DeleteTopicsRequest {
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Version, req.TimeoutMillis = 6, 1000
	named := kmsg.NewDeleteTopicsRequestTopic()
	named.Topic = &topic
	req.Topics = append(req.Topics, named)
	return req
}

// checkpointed waits until everything in a partition is below its recovery point.
func (r *rig) checkpointed(topic string) {
	r.t.Helper()
	name := kafka.TopicPartition{Topic: topic}
	p := must.Get(r.n.replicas.ByName(name))
	if !r.w.RunUntil(time.Minute, func() bool { return r.n.storage.Of(p).Dir.Checkpointed(name).RecoveryPoint == p.Standing().End }) {
		r.t.Fatalf("the recovery point of %s is never written", name)
	}
}

// A log that does not open, because records below its recovery point are gone, is deleted and its topic made again: the
// operator's obvious repair.
func TestDamagedLogCanBeDeletedAndMadeAgain(t *testing.T) {
	r := newRig(t)
	r.create("a", 1)
	for range 10 {
		wantCode(t, r.write("a", 0, plain("x", "y")).ErrorCode, kafka.ErrNone)
	}
	r.checkpointed("a")
	must.OK(r.fs.Remove("data/a-0/00000000000000000000.log"))
	must.OK(r.fs.SyncDir("data/a-0"))
	r.kill()
	wantCode(t, r.write("a", 0, plain("x")).ErrorCode, kafka.ErrCorruptMessage)
	wantCode(t, ask[*kmsg.DeleteTopicsResponse](r, deleting("a")).Topics[0].ErrorCode, kafka.ErrNone)
	r.create("a", 1)
	wantCode(t, r.write("a", 0, plain("new")).ErrorCode, kafka.ErrNone)
	r.kill()
	wantCode(t, r.write("a", 0, plain("newer")).ErrorCode, kafka.ErrNone)
	for _, e := range must.Get(r.fs.List("data")) {
		if strings.HasSuffix(e.Name, "-delete") || strings.HasSuffix(e.Name, "-stray") {
			t.Errorf("%s is left", e.Name)
		}
	}
}

// noRename is a disk on which the process dies before a partition is renamed.
type noRename struct{ disk.FS }

func (f noRename) Rename(from, to string) error {
	if from == "data/a-0" {
		return errors.New("killed here")
	}
	return f.FS.Rename(from, to)
}

// Killed after the deletion of a topic was committed and before its directory was renamed: the next life sets it aside,
// and what was known of it says nothing of the topic that is made again.
func TestStrayLeavesNothingToTheNextTopic(t *testing.T) {
	r := newRig(t)
	r.create("a", 1)
	for range 10 {
		wantCode(t, r.write("a", 0, plain("x", "y")).ErrorCode, kafka.ErrNone)
	}
	r.checkpointed("a")
	r.proc.Kill()
	r.fs = r.fs.Killed()
	r.proc = world.NewProcess(r.w)
	started := false
	n, err := Start(Options{
		World: r.proc, FS: noRename{r.fs}, Values: config.Values{Scope: config.Broker, Set: r.set}, Logger: slog.New(r.logs),
		Failed: func(error) {},
	}, func(error) { started = true })
	must.OK(err)
	r.w.RunUntil(time.Minute, func() bool { return started })
	r.n = n
	r.main = r.connect("PLAINTEXT")
	r.main.send(deleting("a"))
	r.main.receive(5 * time.Second)
	r.kill()
	r.w.Run(time.Second) // the start settles what it found beside everything else
	strays := 0
	for _, e := range must.Get(r.fs.List("data")) {
		if strings.HasSuffix(e.Name, "-stray") {
			strays++
		}
	}
	if strays != 1 {
		t.Fatalf("%d directories are set aside", strays)
	}
	r.create("a", 1)
	wantCode(t, r.write("a", 0, plain("new")).ErrorCode, kafka.ErrNone)
}

// Old snapshots of the metadata are kept for a while and not needed: damage in one is told and harms nobody.
func TestDamagedOldSnapshotIsPassedOver(t *testing.T) {
	r := newRig(t, "metadata.log.max.record.bytes.between.snapshots", "2000")
	for i := range 60 {
		r.create(fmt.Sprintf("t%d", i), 1)
	}
	r.w.RunUntil(10*time.Second, func() bool { return false })
	const dir = "data/__cluster_metadata-0/"
	var snapshots []string
	for _, e := range must.Get(r.fs.List(dir)) {
		if strings.HasSuffix(e.Name, ".checkpoint") {
			snapshots = append(snapshots, e.Name)
		}
	}
	if len(snapshots) < 2 {
		t.Fatalf("snapshots %q", snapshots)
	}
	f := must.Get(r.fs.Open(dir+snapshots[len(snapshots)-2], disk.Write))
	must.Get(f.WriteAt([]byte{0xff}, must.Get(f.Size())/2))
	must.OK(f.Sync())
	r.kill()
	wantCode(t, r.write("t59", 0, plain("x")).ErrorCode, kafka.ErrNone)
}
