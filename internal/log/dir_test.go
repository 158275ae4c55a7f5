package log

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/must"
)

// A clean start reads almost nothing of the log, and after any end of the first life there is only one clean start.
func TestCleanStartReadsAlmostNothing(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Roll.SegmentBytes = 100_000 })
	for i := range 300 {
		r.send(sender{id: 1, seq: int32(i)}, strings.Repeat("x", 1000))
	}
	var rec *disk.Recording
	r.around = func(f disk.FS) disk.FS { rec = disk.NewRecording(f); return rec }
	r.restart("clean")
	if !r.l.Recovered.Clean || r.l.Recovered.Replayed != 0 {
		t.Errorf("recovered %+v", r.l.Recovered)
	}
	if n := rec.BytesRead(); n > 16<<10 {
		t.Errorf("a clean start read %d bytes:\n%s", n, disk.Script(rec.Calls(disk.OpRead)))
	}
	if writes := rec.Calls(disk.OpWrite, disk.OpTruncate, disk.OpSync); len(writes) != 0 {
		t.Errorf("a clean start wrote:\n%s", disk.Script(writes))
	}
	if clean, epoch := r.dir.Clean(); !clean || epoch != 77 {
		t.Errorf("clean %v, broker epoch %d", clean, epoch)
	}
	r.restart("kill")
	if clean, epoch := r.dir.Clean(); clean || epoch != -1 || r.l.Recovered.Clean {
		t.Errorf("clean %v, broker epoch %d after a kill", clean, epoch)
	}
	if n := rec.BytesRead(); n < 300_000 && r.l.Recovered.SegmentsChecked != 1 {
		t.Errorf("an unclean start read %d bytes, checked %d segments", n, r.l.Recovered.SegmentsChecked)
	}
}

// The recovery point bounds what an unclean start reads.
func TestRecoveryPointBoundsRecovery(t *testing.T) {
	r := threes(t, 30)
	r.flush()
	r.checkpointed()
	n := r.l.Segments()
	r.restart("kill")
	if got := r.l.Recovered; got.SegmentsChecked != 1 || n < 5 || got.Clean || got.CutAt != kafka.NoOffset {
		t.Errorf("of %d segments: %+v", n, got)
	}
}

// A directory that was not clean becomes clean only when all its logs were recovered.
func TestNoMarkerWhileALogIsNotRecovered(t *testing.T) {
	r := newRig(t)
	r.put("a")
	r.mem = r.mem.Killed()
	r.openDir()
	must.OK(r.dir.CloseClean(1, nil, nil))
	r.openDir()
	if clean, _ := r.dir.Clean(); clean {
		t.Error("the log that nobody opened counts as clean")
	}
	must.OK(r.tryOpen())
	r.restart("clean")
	if clean, _ := r.dir.Clean(); !clean {
		t.Error("not clean though everything was recovered")
	}
	end := checkpoint.Offsets{tp: 1}
	must.OK(r.dir.CloseClean(1, end, end)) // a clean directory stays so, whatever was opened
	r.open()
	if !r.l.Recovered.Clean {
		t.Error("not clean")
	}
}

// Only the first opening after a clean stop believes the marker.
func TestSecondOpeningIsNotClean(t *testing.T) {
	r := newRig(t)
	r.put("a")
	r.restart("clean")
	must.OK(r.tryOpen())
	if r.l.Recovered.Clean {
		t.Error("believed the marker twice")
	}
}

func TestTopicID(t *testing.T) {
	r := newRig(t)
	r.put("first")
	if got := string(r.file("partition.metadata")); got != "version: 0\ntopic_id: "+topicID.String() {
		t.Errorf("partition.metadata %q", got)
	}
	r.put("a")
	r.restart("kill")
	o := r.dir.Options(tp, r.cfg, r.now)
	o.TopicID = kafka.TopicID{8}
	_, err := Open(o)
	r.code(err, kafka.ErrInconsistentTopicId)
	o.TopicID = kafka.TopicID{}
	l := must.Get(Open(o))
	if l.options.TopicID != topicID {
		t.Errorf("topic id %v", l.options.TopicID)
	}
	id, ok, err := r.dir.TopicID(PartitionDir{Name: "t-0"})
	if id != topicID || !ok || err != nil {
		t.Errorf("%v, %v, %v", id, ok, err)
	}
	r.overwrite("partition.metadata", nil)
	r.restart("kill")
	if len(r.file("partition.metadata")) == 0 {
		t.Error("a torn topic id was not written again")
	}
}

// A log is deleted while its flush is under way: the log directory must not fail for it.
func TestDeleteBesideAFlush(t *testing.T) {
	r := newRig(t, small)
	for i := range 12 {
		r.put(fmt.Sprint("some value ", i))
	}
	targets, _ := r.l.Dirty()
	if len(targets) < 6 {
		t.Fatalf("%d targets", len(targets))
	}
	var later []func()
	r.l.options.Later = func(ms int64, f func()) {
		if ms != r.cfg.Keep.FileDeleteDelayMs {
			t.Errorf("removal after %d ms", ms)
		}
		later = append(later, f)
	}
	s := must.Get(r.l.Read(0, ReadOptions{MaxBytes: 10, MinOne: true, Upper: 1}))
	must.OK(r.l.Delete())
	for _, y := range targets {
		if err := y.Sync(); err != nil {
			t.Errorf("%T: %v", y, err)
		}
	}
	if data, err := s.AppendTo(nil); err != nil || len(data) == 0 {
		t.Errorf("slice: %v", err)
	}
	s.Release()
	must.OK(r.tryOpen()) // a new log of the same name
	r.offsets(0, 0, 0, 0)
	r.put("new")
	for _, y := range targets {
		must.OK(y.Sync())
	}
	for _, f := range later {
		f()
	}
	if got := r.values(0); !slices.Equal(got, []string{"0=new"}) {
		t.Errorf("read %v", got)
	}
	if dirs := must.Get(r.dir.Partitions()); len(dirs) != 1 || dirs[0].Name != "t-0" {
		t.Errorf("directories %v", dirs)
	}
}

// A replica is taken away, given back, and taken away again before its log was opened or the files of the first are gone: after a kill nothing
// that is said of the first is believed of the next.
func TestADeletionOfNothingLeavesTheTraceOfTheOneBefore(t *testing.T) {
	r := newRig(t, small)
	r.put("old")
	r.l.options.Later = func(int64, func()) {} // the process ends before it is time
	must.OK(r.dir.SaveRecoveryPoints(checkpoint.Offsets{tp: r.l.Offsets().End}))
	must.OK(r.l.Delete())
	must.OK(r.dir.DeletePartition(tp, topicID, func(func() error) { t.Error("there is nothing to remove") }))
	r.mem = r.mem.Killed()
	r.dir = must.Get(OpenDir(r.mem, root, me))
	if got := r.dir.Checkpointed(tp).RecoveryPoint; got != 0 {
		t.Fatalf("the next log is believed to be durable up to %d", got)
	}
	must.OK(r.tryOpen())
	r.offsets(0, 0, 0, 0)
}

// What the checkpoints say of a deleted log is never believed of the next one of its name, whatever crashes when.
func TestRecreatedTopicInheritsNothing(t *testing.T) {
	names := []kafka.TopicPartition{tp, {Topic: strings.Repeat("long", 62), Partition: 0}}
	for _, name := range names {
		for _, crash := range []string{"", "after delete", "after removal", "after begin", "after append"} {
			mem := disk.NewMem()
			d := must.Get(OpenDir(mem, root, me))
			must.OK(d.Format(Meta{ClusterID: me.ClusterID, NodeID: me.NodeID}))
			cfg, now := DefaultConfig(), kafka.Instant{WallMs: 1000}
			var later []func()
			open := func(id kafka.TopicID) *Log {
				o := d.Options(name, cfg, now)
				o.TopicID, o.Later = id, func(_ int64, f func()) { later = append(later, f) }
				l, err := Open(o)
				if err != nil {
					t.Fatalf("%s: %v", crash, err)
				}
				return l
			}
			l := open(kafka.TopicID{1})
			flush := func(l *Log) {
				targets, upTo := l.Dirty()
				for _, y := range targets {
					must.OK(y.Sync())
				}
				l.Flushed(upTo)
			}
			for range 9 {
				must.Get(l.AppendAsLeader(now, nobody.batch(1000, "old"), 0, Client))
			}
			flush(l)
			must.OK(l.AdvanceStart(5))
			must.OK(d.SaveRecoveryPoints(checkpoint.Offsets{name: 9}))
			must.OK(d.CheckpointHighWatermarks(func() checkpoint.Offsets { return checkpoint.Offsets{name: 9} }))
			must.OK(l.Delete())
			reopen := func(at string) {
				if crash == at {
					mem = mem.PowerCut()
					d = must.Get(OpenDir(mem, root, me))
					later = nil
				}
			}
			reopen("after delete")
			for _, f := range later {
				f()
			}
			reopen("after removal")
			l = open(kafka.TopicID{2})
			if crash == "after begin" {
				reopen("after begin")
				l = open(kafka.TopicID{2})
			}
			if o := l.Offsets(); o.End != 0 || o.LogStart != 0 {
				t.Fatalf("%s: a new log at %+v", crash, o)
			}
			for range 2 {
				must.Get(l.AppendAsLeader(now, nobody.batch(1000, "new"), 0, Client))
			}
			flush(l)
			if crash == "after append" {
				reopen("after append")
				l = open(kafka.TopicID{2})
			}
			if o := l.Offsets(); o.End != 2 || o.LogStart != 0 || d.Checkpointed(name).HighWatermark != 0 {
				t.Fatalf("%s: %+v, high watermark %d", crash, o, d.Checkpointed(name).HighWatermark)
			}
		}
	}
}

func TestDirectoryIsRefused(t *testing.T) {
	r := newRig(t)
	r.put("a")
	if _, err := OpenDir(r.mem, root, me); !errors.Is(err, disk.ErrLocked) {
		t.Errorf("a second process got in: %v", err)
	}
	r.restart("clean")
	must.OK(r.l.Close(r.now))
	must.OK(r.dir.CloseClean(5, nil, nil))
	for _, other := range []Identity{{ClusterID: "other", NodeID: 1}, {ClusterID: "cluster", NodeID: 2}} {
		rec := disk.NewRecording(r.mem)
		_, err := OpenDir(rec, root, other)
		r.code(err, kafka.ErrInconsistentClusterId)
		if calls := rec.Calls(disk.OpWrite, disk.OpRename, disk.OpRemove, disk.OpRemoveAll, disk.OpTruncate); len(calls) != 0 {
			t.Errorf("touched:\n%s", disk.Script(calls))
		}
	}
	d := must.Get(OpenDir(r.mem, root, Identity{NodeID: 1})) // any cluster, for a node that has not learned it yet
	if m, ok := d.Meta(); !ok || m.ClusterID != "cluster" || m.NodeID != 1 {
		t.Errorf("%+v, %v", m, ok)
	}
	if clean, epoch := d.Clean(); !clean || epoch != 5 {
		t.Errorf("the refused openings took the marker: %v, %d", clean, epoch)
	}
	must.OK(d.Release())
	must.OK(r.mem.Remove(root + "/meta.properties"))
	_, err := OpenDir(r.mem, root, me)
	r.code(err, kafka.ErrInconsistentClusterId)
}

func TestDamagedCheckpointCountsAsEmpty(t *testing.T) {
	r := newRig(t)
	r.put("a")
	r.flush()
	r.checkpointed()
	r.mem = r.mem.Killed()
	must.OK(writeFile(r.mem, root+"/recovery-point-offset-checkpoint", []byte("0\n7\n")))
	r.open()
	if len(r.dir.Damaged) != 1 || !fault.IsKind(r.dir.Damaged[0], fault.Corrupt) {
		t.Errorf("damaged: %v", r.dir.Damaged)
	}
	r.offsets(0, 1, 1, 1)
}

// S7, after kill -9 the names need not be durable; what recovery calls durable is.
func TestRecoveredIsDurable(t *testing.T) {
	r := newRig(t, small)
	for i := range 12 {
		r.put(fmt.Sprint("some value ", i))
	}
	want := r.bytes(0)
	r.restart("kill")
	r.offsets(0, 12, 12, 12)
	r.restart("power")
	r.offsets(0, 12, 12, 12)
	equalBytes(t, "after the power cut", r.bytes(0), want)

	r = newRig(t) // killed before the first append: the directory's name is not durable
	r.restart("kill")
	r.put("a")
	r.flush()
	r.restart("power")
	if got := r.values(0); !slices.Equal(got, []string{"0=a"}) {
		t.Errorf("read %v", got)
	}
}

func TestSwapsAreFinishedOrDropped(t *testing.T) {
	base := func() *rig {
		r := threes(t, 12)
		r.restart("clean")
		must.OK(r.l.Close(r.now))
		end := checkpoint.Offsets{tp: 36}
		must.OK(r.dir.CloseClean(1, end, end))
		return r
	}
	r := base()
	first, second := r.l.segments[0].Base(), r.l.segments[1].Base()
	name := func(o kafka.Offset, suffix string) string { return fmt.Sprintf("%020d%s", int64(o), suffix) }
	both := append(slices.Clone(r.file(name(first, ".log"))), r.file(name(second, ".log"))...)
	whole := r.bytes(0)
	r.overwrite(name(first, ".log.swap"), both)
	r.overwrite(name(7, ".log.deleted"), []byte("x"))
	r.overwrite(name(5, ".index.deleted"), []byte("x"))
	n := len(r.l.segments)
	r.open()
	equalBytes(t, "after the swap", r.bytes(0), whole)
	if got := r.l.Segments(); got != n-1 {
		t.Errorf("%d segments of %d", got, n)
	}
	for _, f := range r.files() {
		if strings.HasSuffix(f, ".swap") || strings.HasSuffix(f, ".deleted") {
			t.Errorf("%s is left", f)
		}
	}
	r = base()
	r.overwrite(name(first, ".log.cleaned"), both[:50])
	r.overwrite(name(second, ".log.swap"), both) // of a split whose first part is unfinished
	r.open()
	equalBytes(t, "after the drop", r.bytes(0), whole)
	if got := r.l.Segments(); got != n {
		t.Errorf("%d segments of %d", got, n)
	}
}

func TestDirNames(t *testing.T) {
	hex := strings.Repeat("ab", 16)
	for name, want := range map[string]PartitionDir{
		"t-0":                                {Partition: kafka.TopicPartition{Topic: "t"}},
		"a-b.c-17":                           {Partition: kafka.TopicPartition{Topic: "a-b.c", Partition: 17}},
		"t-0." + hex + "-delete":             {Partition: tp, Kind: Deleted},
		"t-0." + hex + "-future":             {Partition: tp, Kind: Future},
		"t-0." + hex + "-stray":              {Partition: tp, Kind: Stray},
		"long" + hex + "." + hex + "-delete": {Kind: Deleted},
	} {
		want.Name = name
		if got, ok := ParseDirName(name); !ok || got != want {
			t.Errorf("%s: %+v, %v", name, got, ok)
		}
	}
	for _, name := range []string{"t", "-0", "t-", "t-x", "t-0.kafka", "t-99999999999", ".lock"} {
		if got, ok := ParseDirName(name); ok {
			t.Errorf("%s is %+v", name, got)
		}
	}
	long := kafka.TopicPartition{Topic: strings.Repeat("x", 249), Partition: 12345}
	if name := deletedName(long, topicID); len(name) != 255 {
		t.Errorf("%d characters", len(name))
	} else if p, ok := ParseDirName(name); !ok || p.Kind != Deleted {
		t.Errorf("%+v, %v", p, ok)
	}
}

// A start forgets in every checkpoint what was deleted, also where a crash left it in one alone.
func TestStartForgetsTheDeleted(t *testing.T) {
	tp := kafka.TopicPartition{Topic: "t", Partition: 0}
	for _, f := range (&checkpoints{}).files() {
		mem := disk.NewMem()
		d := must.Get(OpenDir(mem, root, Identity{ClusterID: "c", NodeID: 1}))
		must.OK(d.Format(Meta{ClusterID: "c", NodeID: 1, DirectoryID: kafka.DirectoryID{1}}))
		must.OK(d.Release())
		must.OK(mem.MkdirAll(root + "/" + deletedName(tp, kafka.TopicID{2})))
		must.OK(writeFile(mem, root+"/"+f.name, checkpoint.Offsets{tp: 7}.Format()))
		d = must.Get(OpenDir(mem, root, Identity{ClusterID: "c", NodeID: 1}))
		if have := d.Checkpointed(tp); have != (Checkpointed{}) {
			t.Errorf("of %s stays %+v", f.name, have)
		}
		must.OK(d.Release())
	}
}

// However setting a directory aside ends, what the checkpoints say of it is never believed of the next log of that name: a directory that
// is still there has its checkpoints or none, and where it's gone they are gone, too (simulation seed 91500350).
func TestWhatIsSetAsideLeavesNoCheckpoints(t *testing.T) {
	tp := kafka.TopicPartition{Topic: "t", Partition: 0}
	for calls, failed := 0, true; failed; calls++ {
		mem := disk.NewMem()
		d := must.Get(OpenDir(mem, root, Identity{ClusterID: "c", NodeID: 1}))
		must.OK(d.Format(Meta{ClusterID: "c", NodeID: 1, DirectoryID: kafka.DirectoryID{1}}))
		must.OK(mem.MkdirAll(root + "/" + tp.String()))
		must.OK(d.SaveRecoveryPoints(checkpoint.Offsets{tp: 74}))
		must.OK(d.Release())

		faulty := disk.NewFaulty(mem)
		d = must.Get(OpenDir(faulty, root, Identity{ClusterID: "c", NodeID: 1}))
		faulty.Add(disk.Fault{Skip: calls, Err: disk.ErrIO})
		failed = d.SetAside(PartitionDir{Name: tp.String(), Partition: tp}, kafka.UUID{9}) != nil
		faulty.Heal()
		must.OK(d.Release())
		for _, left := range []*disk.Mem{mem.Killed(), mem.PowerCut()} {
			d := must.Get(OpenDir(left, root, Identity{ClusterID: "c", NodeID: 1}))
			_, gone := left.Stat(d.PartitionPath(tp))
			if at := d.Checkpointed(tp).RecoveryPoint; gone != nil && at != 0 {
				t.Errorf("after %d calls that worked: the directory is gone, and its recovery point is %d", calls, at)
			}
			must.OK(d.Release())
		}
		if calls > 50 {
			t.Fatal("it never ends well")
		}
	}
}
