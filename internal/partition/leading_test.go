package partition

import (
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/replica"
)

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
	l.Answered(w, kafka.ErrUnknownServerError, 0)
	if _, ok := l.Wish(); !ok || c.nodes[1].wishes != 2 {
		t.Fatalf("a wish without a certain outcome is to be sent again; told %d times", c.nodes[1].wishes)
	}
	a := c.append(1, -1, "b")
	c.w.Run(time.Second)
	if a.Err != errPending {
		t.Fatal("R6: a member whose expansion may have been granted has to be waited for")
	}
	l.Answered(w, kafka.ErrNone, 2)
	if _, ok := l.Wish(); !ok {
		t.Fatal("a wish that was granted counts when the metadata shows it")
	}
	c.become(1, 1, 2, 1, 2)
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
