package partition

import (
	"slices"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/replica"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// What somebody waits for may come true by other things than a high watermark that moves: these are the ways.

func (c *cluster) configure(d replica.Durability, min int) {
	for _, id := range []kafka.NodeID{1, 2, 3} {
		if n := c.nodes[id]; n != nil {
			cfg := *n.p.cfg
			cfg.Durability, cfg.MinISR = d, min
			n.p.Configure(&cfg)
		}
	}
}

// In a switch to sync the follower's disk is the last.
func TestSwitchToSyncFollowerLast(t *testing.T) {
	c := newCluster(t, replica.Cached, 2, 1, 2)
	c.become(1, 1, 1, 1, 2)
	c.sync(2)
	c.append(1, 1, "a")
	c.sync(2)
	c.sync(2)
	if s := c.standing(1); s.High != 1 {
		t.Fatalf("%+v", s)
	}
	// switch: the leader's own flush runs; follower is told later
	c.configure(replica.Synced, 2)
	b := c.append(1, -1, "b")
	c.fetch(2)           // has the record, not durable
	c.fetch(2)           // tells that
	c.w.Run(time.Second) // both durable
	if b.Err != errPending {
		t.Fatal("too early", b.Err)
	}
	for range 3 {
		c.fetch(2)
		c.w.Run(time.Second)
	}
	c.w.Run(time.Minute)
	if b.Err != nil {
		t.Fatalf("durable everywhere, never answered: %v", b.Err)
	}
}

// In a switch to sync the follower whose disk hangs leaves the ISR.
func TestSwitchToSyncFollowerLeaves(t *testing.T) {
	c := newCluster(t, replica.Cached, 1, 1, 2)
	c.become(1, 1, 1, 1, 2)
	c.sync(2)
	c.append(1, 1, "a")
	c.sync(2)
	c.sync(2)
	c.configure(replica.Synced, 1)
	b := c.append(1, -1, "b")
	c.fetch(2)
	c.fetch(2)
	c.w.Run(time.Second)
	if b.Err != errPending {
		t.Fatal("too early", b.Err)
	}
	c.become(1, 1, 2, 1)
	c.w.Run(time.Minute)
	AsLeader(c.nodes[1].p).Consider(30 * time.Second)
	if b.Err != nil {
		t.Fatalf("never answered: %v", b.Err)
	}
}

// A leader dies after everything was committed and everybody knew, before the producer did: the retry is answered by the next leader as soon as that
// has heard that the others have it.
func TestRetryAtANewLeader(t *testing.T) {
	c := newCluster(t, replica.Synced, 2, 1, 2, 3)
	c.become(1, 1, 1, 1, 2, 3)
	o := record.Plain()
	o.ProducerID, o.ProducerEpoch, o.BaseSequence = 5, 0, 0
	b := record.NewBuilder(o)
	b.Append(1000, nil, []byte("a"))
	sent := must.Get(b.Build())
	first := error(errPending)
	c.nodes[1].p.Append(Append{Batch: slices.Clone(sent), Acks: -1, Epoch: kafka.NoLeaderEpoch}, func(a Appended) { first = a.Err })
	for range 4 {
		c.sync(2)
		c.sync(3)
		c.w.Run(time.Second)
	}
	if first != nil || c.standing(2).High != 1 {
		t.Fatal(first, c.standing(2))
	}
	c.become(2, 2, 2, 2, 3)
	again := error(errPending)
	c.nodes[2].p.Append(Append{Batch: slices.Clone(sent), Acks: -1, Epoch: kafka.NoLeaderEpoch}, func(a Appended) { again = a.Err })
	for range 5 {
		c.sync(3)
		c.w.Run(time.Second)
		AsLeader(c.nodes[2].p).Consider(30 * time.Second)
	}
	if again != nil {
		t.Fatalf("the retry: %v", again)
	}
}

// DeleteRecords waits for a follower that is wished into the ISR; the wish is refused, and that one is gone.
func TestDeleteRecordsAfterARefusedWish(t *testing.T) {
	c := newCluster(t, replica.Synced, 1, 1, 2)
	c.become(1, 1, 1, 1)
	c.append(1, -1, "a", "b")
	for range 3 {
		c.sync(2)
		c.w.Run(time.Second)
	}
	c.fetch(2)
	l := AsLeader(c.nodes[1].p)
	w, ok := l.Wish()
	if !ok {
		t.Fatal("no wish")
	}
	low, err := kafka.NoOffset, error(errPending)
	c.nodes[1].p.DeleteRecords(1, 30*time.Second, func(l kafka.Offset, e error) { low, err = l, e })
	c.w.Run(time.Second)
	if err != errPending {
		t.Fatal(low, err)
	}
	c.nodes[1].epochs[2] = 0 // fenced
	l.Answered(w, kafka.ErrIneligibleReplica, 0)
	c.w.Run(10 * time.Second)
	l.Consider(30 * time.Second)
	c.w.Run(time.Minute)
	if err != nil || low != 1 {
		t.Fatal(low, err)
	}
}

// A coordinator loads during a switch to sync.
func TestAwaitCommittedDuringASwitch(t *testing.T) {
	c := newCluster(t, replica.Cached, 2, 1, 2, 3)
	c.become(1, 1, 1, 1, 2, 3)
	c.append(1, 1, "a")
	c.fetch(2)
	c.fetch(3)
	c.configure(replica.Synced, 2)
	for _, id := range []kafka.NodeID{2, 3} {
		c.nodes[id].p.Become(replica.Registration{Leader: 2, LeaderEpoch: 2, PartitionEpoch: 2, Replicas: []kafka.NodeID{1, 2, 3}, ISR: []kafka.NodeID{2, 3}, Settling: true})
	}
	err := error(errPending)
	c.nodes[2].p.AwaitCommitted(2, 1, func(e error) { err = e })
	c.fetch(3)
	c.fetch(3)
	c.w.Run(time.Second)
	for range 5 {
		c.fetch(3)
		c.w.Run(time.Second)
		AsLeader(c.nodes[2].p).Consider(30 * time.Second)
	}
	c.w.Run(time.Minute)
	if err != nil {
		t.Fatal(err)
	}
}

// A follower was saving a new log start when it was elected: nobody joins whose log begins before that.
func TestStartSavedAfterElection(t *testing.T) {
	c := newCluster(t, replica.Synced, 1, 1, 2, 3)
	c.become(1, 1, 1, 1, 2, 3)
	c.append(1, -1, "a", "b")
	for range 4 {
		c.sync(2)
		c.sync(3)
		c.w.Run(time.Second)
	}
	c.nodes[1].p.DeleteRecords(2, 30*time.Second, func(l kafka.Offset, e error) {})
	c.w.Run(100 * time.Millisecond)
	c.fetch(2) // its start is being saved
	c.become(2, 2, 2, 2)
	c.w.Run(time.Second)
	// 3 has not moved its start
	c.fetch(3)
	_, ok := AsLeader(c.nodes[2].p).Wish()
	if ok {
		t.Fatal("wished")
	}
}

// A broker that departs is told when nothing more can be committed since the ISR has become too small.
func TestYieldEndsWhereTheISRBecomesTooSmall(t *testing.T) {
	c := newCluster(t, replica.Synced, 2, 1, 2)
	c.become(1, 1, 1, 1, 2)
	c.sync(2)
	c.append(1, 1, "a")
	drained := false
	AsLeader(c.nodes[1].p).Yield(func() { drained = true })
	c.w.Run(time.Second)
	if drained {
		t.Fatal("early")
	}
	c.become(1, 1, 2, 1)
	c.w.Run(time.Minute)
	if !drained {
		t.Fatal("not told")
	}
}
