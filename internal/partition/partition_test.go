package partition

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/machine/replica"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/world"
)

// rig is one partition in a virtual world on a disk in memory.
type rig struct {
	t      *testing.T
	w      *world.Virtual
	fs     *disk.Mem
	env    *Env
	p      *Partition
	failed []error
}

const self = 1

var name = kafka.TopicPartition{Topic: "t", Partition: 0}

func newRig(t *testing.T, fs *disk.Mem, d replica.Durability, minISR int, isr ...kafka.NodeID) *rig {
	t.Helper()
	r := &rig{t: t, w: world.NewVirtual(7), fs: fs}
	r.env = &Env{World: r.w, Flusher: disk.NewFlusher(r.w, "d"), Logger: slog.New(slog.DiscardHandler), Self: self,
		Failed: func(err error) { r.failed = append(r.failed, err) }}
	cfg := Config{Log: log.DefaultConfig(), MinISR: minISR, Durability: d}
	if err := errors.Join(fs.MkdirAll("d"), fs.SyncDir(".")); err != nil {
		t.Fatal(err)
	}
	r.p = New(r.env, name, &cfg, 0, func(log.Config) (*log.Log, error) {
		return log.Open(log.Options{FS: fs, Path: "d/t-0", Partition: name, Config: cfg.Log, Now: r.w.Now()})
	})
	r.lead(1, isr...)
	return r
}

func (r *rig) lead(epoch kafka.LeaderEpoch, isr ...kafka.NodeID) {
	r.p.Become(replica.Registration{Leader: self, LeaderEpoch: epoch, PartitionEpoch: kafka.PartitionEpoch(epoch), Replicas: isr, ISR: isr})
}

func batch(t testing.TB, values ...string) record.Batch {
	t.Helper()
	b := record.NewBuilder(record.Plain())
	for _, v := range values {
		b.Append(1000, nil, []byte(v))
	}
	out, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// append writes a batch and returns where its answer will be.
func (r *rig) append(acks int16, values ...string) *Appended {
	out := &Appended{Err: errPending}
	r.p.Append(Append{Batch: batch(r.t, values...), Acks: acks, Epoch: kafka.NoLeaderEpoch}, func(a Appended) { *out = a })
	return out
}

var errPending = fault.New("test", kafka.ErrUnknownServerError, "not answered yet")

func (r *rig) read(from kafka.Offset) Records {
	r.t.Helper()
	got, err := r.p.Read(Read{From: from, MaxBytes: 1 << 20, MinOne: true, CurrentEpoch: kafka.NoLeaderEpoch, LastEpoch: kafka.NoLeaderEpoch})
	if err != nil {
		r.t.Fatal(err)
	}
	got.Slice.Release()
	return got
}

func code(t *testing.T, err error, want kafka.ErrorCode) {
	t.Helper()
	if got := fault.CodeOf(err); got != want {
		t.Fatalf("error %v has code %v, want %v", err, got, want)
	}
}

func TestAcksAllIsAnsweredByTheFlush(t *testing.T) {
	r := newRig(t, disk.NewMem(), replica.Synced, 1, self)
	all, one := r.append(-1, "a", "b"), r.append(1, "c")
	if all.Err != errPending {
		t.Fatalf("acks=all was answered before any flush: %+v", all)
	}
	if one.Err != nil || one.Base != 2 {
		t.Fatalf("acks=1 was not answered by the append: %+v", one)
	}
	if got := r.read(0); got.High != 0 || got.Slice.Len != 0 {
		t.Fatalf("a reader sees what is not durable: %+v", got)
	}
	r.w.Run(time.Second)
	if all.Err != nil || all.Base != 0 || all.Last != 1 {
		t.Fatalf("acks=all after the flush: %+v", all)
	}
	if got := r.read(0); got.High != 3 || got.Slice.Len == 0 {
		t.Fatalf("after the flush a reader sees %+v", got)
	}
}

func TestWhatIsAcknowledgedSurvivesPowerLoss(t *testing.T) {
	for _, c := range []struct {
		name     string
		d        replica.Durability
		survives bool
	}{{"sync", replica.Synced, true}, {"cache", replica.Cached, false}} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, disk.NewMem(), c.d, 1, self)
			for i := 0; i < 10; i++ {
				a := r.append(-1, "a", "b")
				r.w.Run(time.Second)
				if a.Err != nil {
					t.Fatal(a.Err)
				}
			}
			again := newRig(t, r.fs.PowerCut(), c.d, 1, self)
			_, end, err := again.p.Bounds(1)
			if err != nil {
				t.Fatal(err)
			}
			// Under page-cache durability the test must see the loss, or it could not see one at all.
			if survived := end == 20; survived != c.survives {
				t.Fatalf("20 records were acknowledged, %d are there after the power loss", end)
			}
		})
	}
}

func TestRetriedDuplicateWaitsLikeItsOriginal(t *testing.T) {
	r := newRig(t, disk.NewMem(), replica.Synced, 1, self)
	send := func() *Appended {
		o := record.Plain()
		o.ProducerID, o.ProducerEpoch, o.BaseSequence = 9, 0, 0
		b := record.NewBuilder(o)
		b.Append(1000, nil, []byte("x"))
		built, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		out := &Appended{Err: errPending}
		r.p.Append(Append{Batch: built, Acks: -1, Epoch: kafka.NoLeaderEpoch}, func(a Appended) { *out = a })
		return out
	}
	first, second := send(), send()
	if first.Err != errPending || second.Err != errPending {
		t.Fatalf("answered before the flush: %+v %+v", first, second)
	}
	r.w.Run(time.Second)
	if first.Err != nil || second.Err != nil || !second.Duplicate || second.Base != first.Base {
		t.Fatalf("original %+v, retry %+v", first, second)
	}
	third := send()
	if third.Err != nil || !third.Duplicate {
		t.Fatalf("a retry of what is committed has to be answered at once: %+v", third)
	}
}

func TestMinISRRefusesBeforeWriting(t *testing.T) {
	r := newRig(t, disk.NewMem(), replica.Synced, 2)
	r.p.Become(replica.Registration{Leader: self, LeaderEpoch: 2, PartitionEpoch: 2, Replicas: []kafka.NodeID{self, 2}, ISR: []kafka.NodeID{self}})
	code(t, r.append(-1, "a").Err, kafka.ErrNotEnoughReplicas)
	if a := r.append(1, "b"); a.Err != nil || a.Base != 0 {
		t.Fatalf("acks=1 doesn't ask for min.insync.replicas, and nothing was written before it: %+v", a)
	}
}

func TestFollowersHoldTheHighWatermark(t *testing.T) {
	r := newRig(t, disk.NewMem(), replica.Synced, 1, self, 2)
	a := r.append(-1, "a")
	r.w.Run(time.Second)
	if a.Err != errPending {
		t.Fatalf("answered although node 2 of the ISR has nothing: %+v", a)
	}
	r.p.Become(replica.Registration{Leader: 2, LeaderEpoch: 2, PartitionEpoch: 2, Replicas: []kafka.NodeID{self, 2}, ISR: []kafka.NodeID{2}})
	code(t, a.Err, kafka.ErrNotLeaderOrFollower)
	code(t, r.append(1, "b").Err, kafka.ErrNotLeaderOrFollower)
}

func TestEpochsAreChecked(t *testing.T) {
	r := newRig(t, disk.NewMem(), replica.Synced, 1, self)
	r.lead(5, self)
	for epoch, want := range map[kafka.LeaderEpoch]kafka.ErrorCode{4: kafka.ErrFencedLeaderEpoch, 5: kafka.ErrNone, 6: kafka.ErrUnknownLeaderEpoch} {
		_, err := r.p.Read(Read{CurrentEpoch: epoch, LastEpoch: kafka.NoLeaderEpoch})
		code(t, err, want)
	}
}

func TestWatchersHearOfTheHighWatermark(t *testing.T) {
	r := newRig(t, disk.NewMem(), replica.Synced, 1, self)
	moved := 0
	w := &Watcher{Moved: func() { moved++ }}
	r.p.Watch(w, 0)
	r.append(-1, "a")
	if moved != 0 {
		t.Fatal("woken by an append that nobody may read yet")
	}
	r.w.Run(time.Second)
	if moved == 0 {
		t.Fatal("not woken by the high watermark")
	}
	r.p.Unwatch(w)
	before := moved
	r.append(-1, "b")
	r.w.Run(time.Second)
	if moved != before {
		t.Fatal("woken after Unwatch")
	}
}

func TestStopAnswersWhatIsInFlight(t *testing.T) {
	fs := disk.NewMem()
	r := newRig(t, fs, replica.Synced, 1, self)
	a := r.append(-1, "a")
	var closed *Closed
	r.p.Stop(func(c Closed) { closed = &c })
	code(t, r.append(1, "late").Err, kafka.ErrNotLeaderOrFollower)
	r.w.Run(time.Second)
	if a.Err != nil {
		t.Fatalf("a produce in flight was answered with %v", a.Err)
	}
	if closed == nil || closed.Err != nil || !closed.Opened || closed.Recovery != 1 || closed.High != 1 {
		t.Fatalf("closed as %+v", closed)
	}
}

func TestStopTellsWhoWaitsForOthers(t *testing.T) {
	r := newRig(t, disk.NewMem(), replica.Synced, 1, self, 2)
	a := r.append(-1, "a")
	stopped := false
	r.p.Stop(func(Closed) { stopped = true })
	r.w.Run(time.Second)
	code(t, a.Err, kafka.ErrNotLeaderOrFollower)
	if !stopped {
		t.Fatal("not stopped")
	}
}

func TestOffsetsByTimestamp(t *testing.T) {
	r := newRig(t, disk.NewMem(), replica.Synced, 1, self)
	r.append(-1, "a", "b")
	r.w.Run(time.Second)
	for ts, want := range map[int64]kafka.Offset{
		Latest: 2, Earliest: 0, EarliestLocal: 0, MaxTimestamp: 0, LatestTiered: -1, EarliestPendingUpload: -1, 1000: 0, 1001: -1,
	} {
		got, err := r.p.OffsetAt(ts, false, kafka.NoLeaderEpoch)
		if err != nil || got.Offset != want {
			t.Errorf("OffsetAt(%d) = %+v, %v; want offset %d", ts, got, err, want)
		}
	}
	_, err := r.p.OffsetAt(-7, false, kafka.NoLeaderEpoch)
	code(t, err, kafka.ErrUnsupportedVersion)
}

// deleteRecords moves the log start and waits.
func (r *rig) deleteRecords(to kafka.Offset) (low kafka.Offset, err error) {
	r.t.Helper()
	err = errPending
	r.p.DeleteRecords(to, time.Minute, func(l kafka.Offset, e error) { low, err = l, e })
	r.w.Run(time.Second)
	if err == errPending {
		r.t.Fatal("DeleteRecords was not answered")
	}
	return low, err
}

func TestDeleteRecords(t *testing.T) {
	r := newRig(t, disk.NewMem(), replica.Synced, 1, self)
	r.append(-1, "a", "b", "c")
	r.w.Run(time.Second)
	_, err := r.deleteRecords(4)
	code(t, err, kafka.ErrOffsetOutOfRange)
	for to, want := range map[kafka.Offset]kafka.Offset{2: 2, -1: 3} {
		if low, err := r.deleteRecords(to); err != nil || low < want {
			t.Fatalf("low watermark %d, %v", low, err)
		}
	}
	if low, err := r.deleteRecords(1); err != nil || low != 3 {
		t.Fatalf("the log start went back to %d, %v", low, err)
	}
	_, err = r.p.Read(Read{From: 1, CurrentEpoch: kafka.NoLeaderEpoch, LastEpoch: kafka.NoLeaderEpoch})
	code(t, err, kafka.ErrOffsetOutOfRange)
}

// While a new log start is being made durable the partition takes and serves records; the start counts when it is there.
func TestDeleteRecordsHoldsNobodyUp(t *testing.T) {
	r := newRig(t, disk.NewMem(), replica.Synced, 1, self)
	ledger := &plans{}
	r.p.open = func(c log.Config) (*log.Log, error) {
		return log.Open(log.Options{FS: r.fs, Path: "d/t-0", Partition: name, Config: c, Now: r.w.Now(), Ledger: ledger})
	}
	r.append(-1, "a", "b", "c")
	r.w.Run(time.Second)
	low, err := kafka.NoOffset, error(errPending)
	ledger.saving = func() {
		if a := r.append(1, "d"); a.Err != nil {
			t.Errorf("an append beside it: %v", a.Err)
		}
		if got := r.read(0); got.LogStart != 0 || got.Slice.Len == 0 {
			t.Errorf("the start counts before it is durable: %+v", got)
		}
	}
	r.p.DeleteRecords(2, time.Minute, func(l kafka.Offset, e error) { low, err = l, e })
	if err != errPending {
		t.Fatal("answered before the disk was asked")
	}
	r.w.Run(time.Second)
	if err != nil || low != 2 || ledger.saved != 2 {
		t.Fatalf("low watermark %d, %v; saved %d", low, err, ledger.saved)
	}
}

// plans is a log.Ledger that keeps nothing.
type plans struct {
	log.Ledger
	saving func()
	saved  kafka.Offset
}

func (p *plans) Opened(kafka.TopicPartition) {}
func (p *plans) SaveForgotten() error        { return nil }

func (p *plans) Checkpointed(kafka.TopicPartition) log.Checkpointed {
	return log.Checkpointed{LogStart: p.saved}
}

func (p *plans) PlanLogStart(_ kafka.TopicPartition, o kafka.Offset) func() error {
	return func() error {
		p.saving()
		p.saved = o
		return nil
	}
}
