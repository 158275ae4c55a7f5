package node

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/storage"
)

// many is a topic with more partitions than are synced one by one, each with a record.
func many(t *testing.T) (*rig, []int32) {
	r := newRig(t)
	r.create("t", storage.ManyLogs+6)
	var all []int32
	for p := range int32(storage.ManyLogs + 6) {
		all = append(all, p)
	}
	r.spread("t", "first", all...)
	return r, all
}

// syncsOf counts the lines of a journal that are a kind of sync of the topic's partitions, or of the volume.
func syncsOf(j *disk.Journal, kind string) (n int) {
	for line := range strings.Lines(j.Script(0, j.Len())) {
		if strings.HasPrefix(line, kind) {
			n++
		}
	}
	return n
}

// TestManyLogsAreClosedTogether wants what 70 logs write at a clean stop to cost two syncs, before their files take their names and
// after it (ADR 0034), and to be whole after a power cut.
func TestManyLogsAreClosedTogether(t *testing.T) {
	r, all := many(t)
	j := r.fs.Record()
	r.halt()
	if whole, each := syncsOf(j, "syncvolume"), syncsOf(j, "sync data/t-")+syncsOf(j, "syncdir data/t-"); whole != 2 || each != 0 {
		t.Errorf("the volume was synced %d times and files of partitions %d times", whole, each)
	}
	r.fs = r.fs.PowerCut()
	j = r.fs.Record()
	r.boot()
	for _, p := range all {
		r.wantValues("t", p, "first")
	}
	if writes := syncsOf(j, "write data/t-"); writes != 0 {
		t.Errorf("a start after a clean stop wrote %d times into partitions", writes)
	}
	j = r.fs.Record()
	r.halt()
	if n := syncsOf(j, "sync data/t-") + syncsOf(j, "syncdir data/t-") + syncsOf(j, "write data/t-") + syncsOf(j, "syncvolume"); n != 0 {
		t.Errorf("nothing was written, and the stop made %d writes and syncs of partitions", n)
	}
}

// TestManyLogsAreRecoveredTogether kills the node with records that nobody has synced, which the next one shows: from then on
// no power cut may take them.
func TestManyLogsAreRecoveredTogether(t *testing.T) {
	r, all := many(t)
	r.w.Run(5 * time.Second) // the epochs of 64 logs are saved with one checkpoint
	r.alterWants(kafka.ErrNone, 2, "t", "=milena.durability=cache")
	r.rest()
	r.spread("t", "unsynced", all...)
	r.proc.Kill()
	r.fs = r.fs.Killed()
	j := r.fs.Record()
	r.boot()
	r.rest()
	if whole, each := syncsOf(j, "syncvolume"), syncsOf(j, "sync data/t-")+syncsOf(j, "syncdir data/t-"); whole != 1 || each != 0 {
		t.Errorf("the volume was synced %d times and files of partitions %d times", whole, each)
	}
	for _, p := range all {
		r.wantValues("t", p, "first", "unsynced")
	}
	r.powerCut()
	for _, p := range all {
		r.wantValues("t", p, "first", "unsynced")
	}
}

// TestALogIsRecoveredBeforeTheOthersAreSettled asks for a log while the others wait for the sync of the volume.
func TestALogIsRecoveredBeforeTheOthersAreSettled(t *testing.T) {
	r := newRig(t)
	r.create("t", 3, "milena.durability", "cache")
	r.spread("t", "first", 0, 1, 2)
	r.proc.Kill()
	r.fs = r.fs.Killed()
	r.boot()
	v := r.n.storage.Volumes[0]
	v.Settled = storage.Gate{}
	r.n.upkeep.Recover(r.n.replicas.All())
	r.rest()
	if left := v.Unrecovered.Load(); left == 0 {
		t.Error("nobody waited")
	}
	r.wantValues("t", 1, "first")
	v.Settled.Open()
	r.rest()
	if left := v.Unrecovered.Load(); left != 0 {
		t.Errorf("%d still wait", left)
	}
}

// TestAVolumeThatCannotBeSynced has every file synced for itself.
func TestAVolumeThatCannotBeSynced(t *testing.T) {
	r := unbooted(t)
	r.faulty = disk.NewFaulty(r.fs)
	r.sick = []disk.Fault{{Op: disk.OpSyncVolume, Err: disk.ErrIO}}
	r.boot()
	r.create("t", storage.ManyLogs+1)
	for p := range int32(storage.ManyLogs + 1) {
		r.spread("t", "first", p)
	}
	j := r.fs.Record()
	r.halt()
	if r.gaveUp != nil {
		t.Fatalf("the node gave up: %v", r.gaveUp)
	}
	if each := syncsOf(j, "sync data/t-"); each < storage.ManyLogs {
		t.Errorf("%d files were synced", each)
	}
	r.fs = r.fs.PowerCut()
	r.boot()
	for p := range int32(storage.ManyLogs + 1) {
		r.wantValues("t", p, "first")
	}
}

// TestTheWidthOfRecoveryChangesWhileTheNodeRuns as Apache Kafka's LogManager.resizeRecoveryThreadPool has it.
func TestTheWidthOfRecoveryChangesWhileTheNodeRuns(t *testing.T) {
	r := newRig(t)
	r.alterWants(kafka.ErrNone, 4, "", "=num.recovery.threads.per.data.dir=5")
	r.rest()
	if got := r.n.settings.recoveryThreads(r.n.feed.Image()); got != 5 {
		t.Errorf("it is %d", got)
	}
	if got := fmt.Sprint(r.n.storage.Volumes[0].Env.Chores); !strings.Contains(got, " 5 ") {
		t.Errorf("the pool is %s", got)
	}
}
