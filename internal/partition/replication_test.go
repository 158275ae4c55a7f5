package partition

import (
	"bytes"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/machine/replica"
	"github.com/milena-io/milena/internal/world"
)

// node is one broker's replica in a cluster of a test; it is its own Replication and takes note of what it is told.
type node struct {
	id      kafka.NodeID
	fs      *disk.Mem
	p       *Partition
	failed  []error
	wishes  int
	durable int
	epochs  map[kafka.NodeID]kafka.BrokerEpoch
}

func (n *node) Member(id kafka.NodeID) (kafka.BrokerEpoch, bool) {
	return n.epochs[id], n.epochs[id] > 0
}
func (n *node) Wish(*Partition)    { n.wishes++ }
func (n *node) Durable(*Partition) { n.durable++ }

// cluster is replicas of one partition in a virtual world; fetches are made by hand.
type cluster struct {
	t      testing.TB
	w      *world.Virtual
	nodes  map[kafka.NodeID]*node
	d      replica.Durability
	minISR int
}

func newCluster(t testing.TB, d replica.Durability, minISR int, ids ...kafka.NodeID) *cluster {
	c := &cluster{t: t, w: world.NewVirtual(5), nodes: map[kafka.NodeID]*node{}, d: d, minISR: minISR}
	for _, id := range ids {
		c.start(id, disk.NewMem())
	}
	return c
}

func (c *cluster) start(id kafka.NodeID, fs *disk.Mem) *node {
	n := &node{id: id, fs: fs, epochs: map[kafka.NodeID]kafka.BrokerEpoch{1: 1, 2: 1, 3: 1}}
	env := &Env{World: c.w, Flusher: disk.NewFlusher(c.w, "d"), Logger: slog.New(slog.DiscardHandler), Self: id, Replication: n,
		Failed: func(err error) { n.failed = append(n.failed, err) }}
	cfg := Config{Log: log.DefaultConfig(), MinISR: c.minISR, Durability: c.d}
	if err := errors.Join(fs.MkdirAll("d"), fs.SyncDir(".")); err != nil {
		c.t.Fatal(err)
	}
	n.p = New(env, name, &cfg, 0, func(log.Config) (*log.Log, error) {
		return log.Open(log.Options{FS: fs, Path: "d/t-0", Partition: name, Config: cfg.Log, Now: c.w.Now()})
	})
	c.nodes[id] = n
	return n
}

// become tells every node of a registration.
func (c *cluster) become(leader kafka.NodeID, epoch kafka.LeaderEpoch, partitionEpoch kafka.PartitionEpoch, isr ...kafka.NodeID) {
	for _, id := range []kafka.NodeID{1, 2, 3} {
		if n := c.nodes[id]; n != nil {
			n.p.Become(replica.Registration{Leader: leader, LeaderEpoch: epoch, PartitionEpoch: partitionEpoch, Replicas: []kafka.NodeID{1, 2, 3}, ISR: isr})
		}
	}
}

func (c *cluster) append(to kafka.NodeID, acks int16, values ...string) *Appended {
	out := &Appended{Err: errPending}
	c.nodes[to].p.Append(Append{Batch: batch(c.t, values...), Acks: acks, Epoch: kafka.NoLeaderEpoch}, func(a Appended) { *out = a })
	return out
}

func asks(n kafka.NodeID, w Where) ReplicaRead {
	return ReplicaRead{
		Node: n, BrokerEpoch: 1, CurrentEpoch: w.LeaderEpoch, LastEpoch: w.LastEpoch, From: w.Offset, LogStart: w.LogStart,
		Durable: w.Durable, MaxBytes: 1 << 20, MinOne: true,
	}
}

// fetch has a follower fetch once, and reports whether it stands otherwise than before.
func (c *cluster) fetch(id kafka.NodeID) (changed bool) {
	c.t.Helper()
	f := AsFollower(c.nodes[id].p)
	w, ok, err := f.Where()
	if err != nil || !ok {
		c.t.Fatalf("node %d does not follow: %v", id, err)
	}
	got, err := AsLeader(c.nodes[w.Leader].p).Read(asks(id, w))
	if err != nil {
		c.t.Fatal(err)
	}
	defer got.Slice.Release()
	if d := got.Diverging; d != nil {
		_, ok, err = f.Diverged(w.Position, *d)
	} else {
		records, bad := got.Slice.AppendTo(nil)
		if bad != nil {
			c.t.Fatal(bad)
		}
		_, ok, err = f.Take(Answer{Asked: w.Position, Records: records, High: got.High, LogStart: got.LogStart})
	}
	if err != nil || !ok {
		c.t.Fatalf("node %d did not take the answer: %v", id, err)
	}
	now, _, _ := f.Where()
	return now != w
}

// sync has a follower fetch until nothing changes, without time passing.
func (c *cluster) sync(id kafka.NodeID) {
	for c.fetch(id) {
	}
}

func (c *cluster) standing(id kafka.NodeID) Standing { return c.nodes[id].p.Standing() }

// contents is the log of a node, byte for byte.
func contents(t *testing.T, n *node) []byte {
	t.Helper()
	o := n.p.log.Offsets()
	got, err := n.p.log.Read(o.LogStart, log.ReadOptions{MaxBytes: 1 << 20, MinOne: true, Upper: o.End})
	if err != nil {
		t.Fatal(err)
	}
	defer got.Release()
	b, err := got.AppendTo(nil)
	if err != nil || len(b) == 0 {
		t.Fatal("nothing to read", err)
	}
	return b
}

func TestAFollowerIsAByteForByteCopy(t *testing.T) {
	c := newCluster(t, replica.Synced, 2, 1, 2)
	c.become(1, 1, 1, 1, 2)
	a := c.append(1, -1, "a", "b")
	c.w.Run(time.Second)
	c.sync(2)
	if a.Err != errPending {
		t.Fatalf("acks=all was answered before the follower's flush: %+v", a)
	}
	c.w.Run(time.Second)
	if c.nodes[2].durable == 0 {
		t.Fatal("nobody was told that the follower's records are durable")
	}
	c.fetch(2)
	if a.Err != nil || c.standing(1).High != 2 {
		t.Fatalf("after the follower's report: %+v, %+v", a, c.standing(1))
	}
	c.fetch(2)
	if got := c.standing(2); got.High != 2 || got.End != 2 {
		t.Fatalf("the follower stands at %+v", got)
	}
	if !bytes.Equal(contents(t, c.nodes[1]), contents(t, c.nodes[2])) {
		t.Fatal("the logs differ")
	}
}

// What is acknowledged is on both disks: the power of both may fail.
func TestWhatIsAcknowledgedIsDurableOnTheFollower(t *testing.T) {
	for d, want := range map[replica.Durability]kafka.Offset{replica.Synced: 2, replica.Cached: 0} {
		c := newCluster(t, d, 2, 1, 2)
		c.become(1, 1, 1, 1, 2)
		a := c.append(1, -1, "a", "b")
		for range 5 {
			c.sync(2)
			if d == replica.Synced {
				c.w.Run(time.Second)
			}
		}
		if a.Err != nil {
			t.Fatalf("not acknowledged: %+v", a)
		}
		n := c.start(2, c.nodes[2].fs.PowerCut())
		if err := n.p.Open(); err != nil {
			t.Fatal(err)
		}
		if got := c.standing(2).End; got != want {
			t.Errorf("durability %d: after its power failed the follower has %d records, want %d", d, got, want)
		}
	}
}

func TestAFollowerParksAtTheLogEnd(t *testing.T) {
	c := newCluster(t, replica.Synced, 1, 1, 2)
	c.become(1, 1, 1, 1, 2)
	f := AsFollower(c.nodes[2].p)
	w, _, _ := f.Where()
	got, err := AsLeader(c.nodes[1].p).Read(asks(2, w))
	if err != nil || got.Slice.Len != 0 {
		t.Fatalf("%+v, %v", got, err)
	}
	ends, highs := 0, 0
	end, high := &Watcher{Moved: func() { ends++ }, End: true}, &Watcher{Moved: func() { highs++ }}
	if c.nodes[1].p.Watch(end, got.Moves) {
		t.Fatal("something moved since")
	}
	c.nodes[1].p.Watch(high, 0)
	c.append(1, 1, "a")
	if ends != 1 || highs != 0 {
		t.Fatalf("an append told %d who wait for the log end, and %d who wait for the high watermark", ends, highs)
	}
	c.nodes[1].p.Unwatch(end)
	if !c.nodes[1].p.Watch(end, got.Moves) {
		t.Fatal("who watches after the append has to read again")
	}
}

func TestDivergingLogsAreCutByEpoch(t *testing.T) {
	c := newCluster(t, replica.Synced, 1, 1, 2, 3)
	c.become(1, 1, 1, 1, 2, 3)
	c.append(1, 1, "a")
	c.sync(2)
	c.sync(3)
	c.append(1, 1, "only on 1", "and here") // offsets 1 and 2 of epoch 1
	c.become(2, 2, 2, 2, 3)
	c.append(2, 1, "b")
	c.sync(3)
	c.append(2, 1, "only on 2")
	c.become(3, 3, 3, 3)
	c.append(3, 1, "c")
	c.sync(1)
	c.sync(2)
	c.w.Run(time.Second)
	for id := range c.nodes {
		if got := c.standing(id).End; got != 3 {
			t.Errorf("node %d ends at %d", id, got)
		}
		if got := c.nodes[id].p.log.Epochs().Entries(); len(got) != 3 {
			t.Errorf("node %d knows the epochs %v", id, got)
		}
	}
	if !bytes.Equal(contents(t, c.nodes[1]), contents(t, c.nodes[3])) || !bytes.Equal(contents(t, c.nodes[2]), contents(t, c.nodes[3])) {
		t.Error("the logs differ")
	}
}

// R10: what was asked for before the log changed is not acted on.
func TestAnswersToAnotherPositionAreDropped(t *testing.T) {
	c := newCluster(t, replica.Synced, 1, 1, 2)
	c.become(1, 1, 1, 1, 2)
	c.append(1, 1, "a")
	f := AsFollower(c.nodes[2].p)
	before, _, _ := f.Where()
	c.sync(2)
	got, err := AsLeader(c.nodes[1].p).Read(ReplicaRead{Node: 2, BrokerEpoch: 1, CurrentEpoch: 1, LastEpoch: -1, MaxBytes: 1 << 20, MinOne: true})
	if err != nil {
		t.Fatal(err)
	}
	records, _ := got.Slice.AppendTo(nil)
	got.Slice.Release()
	if _, ok, err := f.Take(Answer{Asked: before.Position, Records: records}); ok || err != nil {
		t.Errorf("records for an offset that is there already were taken: %v", err)
	}
	if _, ok, err := f.Diverged(before.Position, EpochEnd{1, 0}); ok || err != nil {
		t.Errorf("a truncation was obeyed that was asked for from elsewhere: %v", err)
	}
	now, _, _ := f.Where()
	c.become(1, 2, 2, 1, 2)
	if _, ok, err := f.Diverged(now.Position, EpochEnd{0, 0}); ok || err != nil {
		t.Errorf("a truncation of an older leader epoch was obeyed: %v", err)
	}
	if c.standing(2).End != 1 {
		t.Fatalf("the log ends at %d", c.standing(2).End)
	}
}

func TestAFollowerBeginsAnewWhereTheLeadersLogBegins(t *testing.T) {
	c := newCluster(t, replica.Synced, 1, 1, 2)
	c.become(1, 1, 1, 1)
	c.append(1, -1, "a", "b", "c")
	c.w.Run(time.Second)
	c.nodes[1].p.DeleteRecords(2, func(kafka.Offset, error) {})
	c.w.Run(time.Second)
	f := AsFollower(c.nodes[2].p)
	w, _, _ := f.Where()
	_, err := AsLeader(c.nodes[1].p).Read(asks(2, w))
	code(t, err, kafka.ErrOffsetOutOfRange)
	if cut, ok, err := f.OutOfRange(w.Position, 2, 3); err != nil || !ok || !cut.Anew || cut.To != 2 {
		t.Fatalf("%+v %v %v", cut, ok, err)
	}
	// The batch holds offsets from 0 on; a follower whose log begins within it cannot take it, and Kafka's neither.
	c.append(1, -1, "d")
	c.w.Run(time.Second)
	c.nodes[1].p.DeleteRecords(3, func(kafka.Offset, error) {})
	c.w.Run(time.Second)
	w, _, _ = f.Where()
	if _, ok, err := f.OutOfRange(w.Position, 3, 4); err != nil || !ok {
		t.Fatal(ok, err)
	}
	c.sync(2)
	if got := c.standing(2); got.LogStart != 3 || got.End != 4 {
		t.Fatalf("%+v", got)
	}
}

func TestTheLogStartFollowsTheLeaders(t *testing.T) {
	c := newCluster(t, replica.Synced, 1, 1, 2)
	c.become(1, 1, 1, 1, 2)
	c.append(1, -1, "a", "b")
	for range 3 {
		c.sync(2)
		c.w.Run(time.Second)
	}
	c.nodes[1].p.DeleteRecords(1, func(kafka.Offset, error) {})
	c.w.Run(time.Second)
	c.sync(2)
	c.w.Run(time.Second)
	if got := c.standing(2).LogStart; got != 1 {
		t.Fatalf("the follower's log starts at %d", got)
	}
}

func TestWishesReachWhoSendsThem(t *testing.T) {
	c := newCluster(t, replica.Synced, 1, 1, 2)
	c.become(1, 1, 1, 1)
	c.append(1, -1, "a")
	for range 3 {
		c.sync(2)
		c.w.Run(time.Second)
	}
	c.fetch(2)
	l := AsLeader(c.nodes[1].p)
	w, ok := l.Wish()
	if !ok || c.nodes[1].wishes != 1 || len(w.ISR) != 2 || w.ISR[1] != (replica.Member{Node: 2, BrokerEpoch: 1}) {
		t.Fatalf("wish %+v %v, told %d times", w, ok, c.nodes[1].wishes)
	}
	l.Answered(w, kafka.ErrUnknownServerError, nil, 0)
	if _, ok := l.Wish(); !ok || c.nodes[1].wishes != 2 {
		t.Fatalf("a wish without a certain outcome is to be sent again; told %d times", c.nodes[1].wishes)
	}
	a := c.append(1, -1, "b")
	c.w.Run(time.Second)
	if a.Err != errPending {
		t.Fatal("R6: a member whose expansion may have been granted has to be waited for")
	}
	l.Answered(w, kafka.ErrNone, []kafka.NodeID{1, 2}, 2)
	if _, ok := l.Wish(); ok || a.Err != errPending {
		t.Fatal("granted: no wish, and still nothing of the record on node 2")
	}
	for range 2 {
		c.sync(2)
		c.w.Run(time.Second)
	}
	if a.Err != nil {
		t.Fatal(a.Err)
	}
	c.w.Run(time.Minute)
	c.append(1, 1, "c")
	l.Consider(30 * time.Second)
	if w, ok := l.Wish(); !ok || len(w.ISR) != 1 || w.PartitionEpoch != 2 {
		t.Fatalf("node 2 has not been heard for a minute: %+v %v", w, ok)
	}
}

// The high watermark waits for a follower that is about to join, and not for long when that isn't heard any more.
func TestWhoJoinsIsNotWaitedForWithoutEnd(t *testing.T) {
	c := newCluster(t, replica.Synced, 1, 1, 2)
	c.become(1, 1, 1, 1)
	c.append(1, -1, "a", "b")
	c.w.Run(10 * time.Millisecond)
	c.fetch(2) // nothing is durable there
	a := c.append(1, -1, "c")
	c.w.Run(500 * time.Millisecond)
	if a.Err != errPending {
		t.Fatal("the high watermark moved away from a follower that is about to join")
	}
	c.w.Run(2 * time.Second)
	if a.Err != nil {
		t.Fatalf("a follower outside the ISR holds the high watermark up: %+v", a)
	}
}

func TestWhoMayNotReplicate(t *testing.T) {
	c := newCluster(t, replica.Synced, 1, 1, 2)
	c.become(1, 2, 1, 1, 2)
	good := ReplicaRead{Node: 2, BrokerEpoch: 1, CurrentEpoch: 2, LastEpoch: -1, Durable: -1, MaxBytes: 100, MinOne: true}
	for what, r := range map[kafka.ErrorCode]func(*ReplicaRead){
		kafka.ErrNone:                func(*ReplicaRead) {},
		kafka.ErrFencedLeaderEpoch:   func(r *ReplicaRead) { r.CurrentEpoch = 1 },
		kafka.ErrUnknownLeaderEpoch:  func(r *ReplicaRead) { r.CurrentEpoch = 3 },
		kafka.ErrNotLeaderOrFollower: func(r *ReplicaRead) { r.BrokerEpoch = 0 }, // older than one that was heard
		kafka.ErrOffsetOutOfRange:    func(r *ReplicaRead) { r.From = 1 },
	} {
		if _, err := AsLeader(c.nodes[1].p).Read(good); err != nil {
			t.Fatal(err)
		}
		bad := good
		r(&bad)
		_, err := AsLeader(c.nodes[1].p).Read(bad)
		code(t, err, what)
	}
	stranger := good
	stranger.Node = 9
	_, err := AsLeader(c.nodes[1].p).Read(stranger)
	code(t, err, kafka.ErrUnknownLeaderEpoch)
	_, err = AsLeader(c.nodes[2].p).Read(good)
	code(t, err, kafka.ErrNotLeaderOrFollower)
}

// What no leader of that epoch can have sent is not taken.
func TestRecordsOfOtherEpochsAreNotTaken(t *testing.T) {
	c := newCluster(t, replica.Synced, 1, 1, 2)
	c.become(1, 3, 1, 1, 2)
	f := AsFollower(c.nodes[2].p)
	take := func(base kafka.Offset, epoch kafka.LeaderEpoch) error {
		t.Helper()
		b := batch(t, "x")
		b.SetBaseOffset(base)
		b.SetLeaderEpoch(epoch)
		w, _, _ := f.Where()
		_, ok, err := f.Take(Answer{Asked: w.Position, Records: b})
		if !ok {
			t.Fatal("the answer was dropped")
		}
		return err
	}
	if err := take(0, 4); err != nil || c.standing(2).End != 0 {
		t.Fatalf("a record of a later epoch is left for when that was asked for: %v, %+v", err, c.standing(2))
	}
	if err := take(0, 3); err != nil || c.standing(2).End != 1 {
		t.Fatalf("%v, %+v", err, c.standing(2))
	}
	if err := take(1, 2); !fault.IsKind(err, fault.Corrupt) || c.standing(2).End != 1 {
		t.Fatalf("an epoch went back along the log: %v, %+v", err, c.standing(2))
	}
	if err := take(0, 3); err != nil || c.standing(2).End != 1 {
		t.Fatalf("what is there already is passed over: %v, %+v", err, c.standing(2))
	}
}

// A log start past what the follower knows to be committed is not taken over: it may have been meant for another log.
func TestTheLogStartWaitsForTheHighWatermark(t *testing.T) {
	c := newCluster(t, replica.Synced, 1, 1, 2)
	c.become(1, 1, 1, 1, 2)
	c.append(1, 1, "a", "b")
	c.sync(2)
	f := AsFollower(c.nodes[2].p)
	for high, want := range []kafka.Offset{0, 1} {
		w, _, _ := f.Where()
		if _, ok, err := f.Take(Answer{Asked: w.Position, High: kafka.Offset(high), LogStart: 1}); !ok || err != nil {
			t.Fatal(ok, err)
		}
		c.w.Run(time.Second)
		if got := c.standing(2).LogStart; got != want {
			t.Fatalf("with the high watermark at %d the log starts at %d", high, got)
		}
	}
}

// A follower that is out of range is told the log's end, and not what is committed of it.
func TestLatestIsTheLogEnd(t *testing.T) {
	c := newCluster(t, replica.Synced, 2, 1, 2)
	c.become(1, 1, 1, 1, 2)
	c.append(1, 1, "a", "b")
	if got, err := AsLeader(c.nodes[1].p).Latest(1); err != nil || got.Offset != 2 || got.Epoch != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	_, err := AsLeader(c.nodes[1].p).Latest(0)
	code(t, err, kafka.ErrFencedLeaderEpoch)
	_, err = AsLeader(c.nodes[2].p).Latest(1)
	code(t, err, kafka.ErrNotLeaderOrFollower)
}

func TestClientsMayReadFromAFollower(t *testing.T) {
	c := newCluster(t, replica.Synced, 1, 1, 2)
	c.become(1, 1, 1, 1, 2)
	c.append(1, -1, "a", "b")
	for range 2 {
		c.sync(2)
		c.w.Run(time.Second)
	}
	c.sync(2)
	c.append(1, -1, "not committed")
	c.sync(2)
	read := func(from kafka.Offset, any bool) (Records, error) {
		got, err := c.nodes[2].p.Read(Read{From: from, MaxBytes: 1 << 20, MinOne: true, CurrentEpoch: 1, LastEpoch: kafka.NoLeaderEpoch, AnyReplica: any})
		got.Slice.Release()
		return got, err
	}
	if got, err := read(0, true); err != nil || got.High != 2 || got.Slice.Next != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	if got, err := read(2, true); err != nil || got.Slice.Len != 0 {
		t.Fatalf("a record that is not committed was served: %+v, %v", got, err)
	}
	_, err := read(4, true)
	code(t, err, kafka.ErrOffsetNotAvailable)
	_, err = read(0, false)
	code(t, err, kafka.ErrNotLeaderOrFollower)
}

// A follower that has everything is answered without a byte of garbage.
func TestAFollowersReadAllocatesNothing(t *testing.T) {
	c := newCluster(t, replica.Synced, 1, 1, 2)
	c.become(1, 1, 1, 1, 2)
	c.append(1, -1, "a")
	for range 3 {
		c.sync(2)
		c.w.Run(time.Second)
	}
	w, _, _ := AsFollower(c.nodes[2].p).Where()
	ask := asks(2, w)
	if n := testing.AllocsPerRun(100, func() {
		if got, err := AsLeader(c.nodes[1].p).Read(ask); err != nil || got.Slice.Len != 0 {
			t.Fatal(got, err)
		}
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}
