package node

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
)

// moving is a rig with a replica, t-1, that is halfway from d/b to d/c, and what is in it.
func moving(t *testing.T) (*rig, []string) {
	t.Helper()
	r := newDirsRig(t)
	r.create("t", 3, "segment.bytes", "1048576")
	r.rest()
	want := r.many("t", 1, 0, 50)
	r.throttle("400000")
	r.moves("t", 1, "d/c")
	r.w.Run(2 * time.Second)
	if got := r.copies(); len(got) != 1 || !strings.HasPrefix(got[0], "d/c t-1 lag ") {
		t.Fatalf("on their way: %q", got)
	}
	return r, want
}

// The directory dies that a replica moves to: the replica stays where it is and serves on, and after a restart the move goes on.
func TestTheNewDirectoryDiesDuringAMove(t *testing.T) {
	for _, op := range []disk.Op{disk.OpWrite, disk.OpSync} {
		r, want := moving(t)
		r.faulty.Add(disk.Fault{Op: op, Path: "d/c/t-1", Err: disk.ErrIO})
		r.w.Run(5 * time.Second)
		if r.gaveUp != nil {
			t.Fatalf("the node gave up: %v", r.gaveUp)
		}
		r.wantOffline("t", 1, false)
		r.wantOffline("t", 2, true)
		want = append(want, r.many("t", 1, 50, 2)...)
		r.wantAll("t", 1, want)
		r.restart()
		r.w.Run(30 * time.Second)
		r.wantHome("t", 1, "d/c")
		r.wantAll("t", 1, want)
	}
}

// The directory dies that a replica moves from: the replica is offline, as it would be if it did not move, and nobody takes the
// half of it that is in the other directory for the whole.
func TestTheOldDirectoryDiesDuringAMove(t *testing.T) {
	r, want := moving(t)
	r.faulty.Add(disk.Fault{Op: disk.OpSync, Path: "d/b/t-1", Err: disk.ErrIO})
	r.write("t", 1, plain("lost"))
	r.w.Run(5 * time.Second)
	if r.gaveUp != nil {
		t.Fatalf("the node gave up: %v", r.gaveUp)
	}
	r.wantOffline("t", 1, true)
	r.wantOffline("t", 2, false)
	r.sick = []disk.Fault{{Op: disk.OpLock, Path: "d/b", Err: disk.ErrIO}}
	r.restart()
	r.rest()
	wantCode(t, r.write("t", 1, plain("refused")).ErrorCode, kafka.ErrKafkaStorageError)
	r.sick = nil
	r.restart()
	r.w.Run(30 * time.Second)
	r.wantHome("t", 1, "d/c")
	if got := r.all("t", 1, 0); len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
		t.Errorf("%d records, want %d and perhaps the lost one", len(got), len(want))
	}
}

// The controller has heard where the replica is about to live, the copy is not the log yet, and the node ends. Without the old
// directory the next start has half a log and serves it to nobody; with it the move goes on.
func TestHalfALogIsNotServed(t *testing.T) {
	r := newRig(t, "log.dirs", threeDirs)
	r.create("t", 3)
	r.rest()
	want := r.many("t", 1, 0, 5)
	r.moves("t", 1, "d/c")
	told := func() bool {
		p, _ := r.n.feed.Image().TopicNamed("t").Partition(1)
		return p.Directory(1) == r.n.storage.Volumes[2].ID()
	}
	if !r.w.RunUntil(time.Minute, told) || len(r.named("d/c", "t-1.")) != 1 {
		t.Fatalf("the metadata is not ahead of the move: %q", r.named("d/c", "t-1"))
	}
	r.proc.Kill()
	r.fs = r.fs.Killed()
	r.set["log.dirs"] = "d/a,d/c"
	r.boot()
	r.rest()
	wantCode(t, r.write("t", 1, plain("refused")).ErrorCode, kafka.ErrKafkaStorageError)
	r.reopen(func() { r.set["log.dirs"] = threeDirs })
	r.w.Run(10 * time.Second)
	r.wantHome("t", 1, "d/c")
	r.wantAll("t", 1, want)
}

// A directory that is full is not filled by a move, which waits until there is room.
func TestAMoveWaitsForRoom(t *testing.T) {
	r := unbooted(t, "log.dirs", "d/a,d/b", "milena.disk.reserve.bytes", "1000000")
	r.volume = disk.NewBounded(r.fs, 8<<20)
	r.boot()
	r.create("t", 2)
	want := r.many("t", 0, 0, 100) // 4 MB
	r.moves("t", 0, "d/b")
	r.w.Run(10 * time.Second)
	if got := r.copies(); len(got) != 1 || strings.HasSuffix(got[0], "lag 0") {
		t.Errorf("on their way: %q", got)
	}
	r.said("WARN The move of t-0 to d/b waits; nothing else does.")
	r.wantAll("t", 0, want)
	r.volume.Resize(40 << 20)
	r.w.Run(time.Minute)
	r.wantHome("t", 0, "d/b")
	r.wantAll("t", 0, append(want, r.many("t", 0, 100, 3)...))
}

// A log that is compacted moves as it is, is not compacted on the way, and the cleaner's checkpoint goes with it.
func TestACompactedLogMoves(t *testing.T) {
	r := newDirsRig(t, "log.cleaner.backoff.ms", "1000", "log.cleaner.delete.retention.ms", "0")
	r.create("t", 3, "cleanup.policy", "compact", "segment.bytes", "1048576", "min.cleanable.dirty.ratio", "0.01")
	r.bulky("t", 5, 12)
	r.w.Run(time.Minute)
	before, records := r.lastOf("t")
	cleaned := r.n.storage.Volumes[0].Dir.Checkpointed(kafka.TopicPartition{Topic: "t"}).Cleaned
	if cleaned == 0 {
		t.Fatal("nothing was compacted")
	}
	r.moves("t", 0, "d/c")
	r.rest()
	r.wantHome("t", 0, "d/c")
	after, left := r.lastOf("t")
	if left > records || len(after) != len(before) {
		t.Errorf("%d records of %d keys were moved, %d of %d are there", records, len(before), left, len(after))
	}
	for k, v := range before {
		if after[k] != v {
			t.Errorf("%s has another value", k)
		}
	}
	if got := r.n.storage.Volumes[2].Dir.Checkpointed(kafka.TopicPartition{Topic: "t"}).Cleaned; got < cleaned {
		t.Errorf("cleaned up to %d after the move, %d before", got, cleaned)
	}
}

// New partitions avoid a cordoned directory, nothing moves into one, and with all of them cordoned nothing is made (KIP-1066).
func TestCordonedDirectories(t *testing.T) {
	r := newDirsRig(t)
	cordon := func(want kafka.ErrorCode, dirs string) {
		t.Helper()
		r.alterWants(want, kmsg.ConfigResourceTypeBroker, "1", "=cordoned.log.dirs="+dirs)
		r.rest()
	}
	cordon(kafka.ErrInvalidRequest, "d/x")
	cordon(kafka.ErrNone, "d/a,d/c")
	r.create("t", 3)
	r.rest()
	r.wantDirs(map[string][]string{"d/a": nil, "d/b": {"t-0", "t-1", "t-2"}, "d/c": nil})
	for _, d := range func() []kmsg.DescribeLogDirsResponseDir {
		req := kmsg.NewPtrDescribeLogDirsRequest()
		req.Version = 5
		return ask[*kmsg.DescribeLogDirsResponse](r, req).Dirs
	}() {
		if d.IsCordoned != (d.Dir != "d/b") {
			t.Errorf("%s is cordoned: %v", d.Dir, d.IsCordoned)
		}
	}
	if got := r.alterDir("t", 0, "d/c"); got != kafka.ErrInvalidReplicaAssignment {
		t.Errorf("moving into a cordoned directory: %v", got)
	}
	cordon(kafka.ErrNone, "*")
	r.createWants("u", kafka.ErrInvalidReplicationFactor)
	r.restart()
	r.createWants("u", kafka.ErrInvalidReplicationFactor)
	cordon(kafka.ErrNone, "d/b")
	r.createWants("u", kafka.ErrNone)
	r.moves("t", 0, "d/c") // out of a cordoned one, that is what it is for
	r.rest()
	r.wantHome("t", 0, "d/c")
}
