package partition

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/replica"
)

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
	c.nodes[1].p.DeleteRecords(2, time.Minute, func(kafka.Offset, error) {})
	c.w.Run(time.Second)
	f := AsFollower(c.nodes[2].p)
	w, _, _ := f.Where()
	_, err := AsLeader(c.nodes[1].p).Read(asks(2, w))
	code(t, err, kafka.ErrOffsetOutOfRange)
	if cut, ok, err := f.OutOfRange(w.Position, 2, 3); err != nil || !ok || !cut.Anew || cut.To != 2 {
		t.Fatalf("%+v %v %v", cut, ok, err)
	}
	// The leader's only batch holds offsets 0 to 2, and its log begins within.
	c.sync(2)
	c.w.Run(time.Second)
	if got := c.standing(2); got.LogStart != 2 || got.End != 3 || got.Durable != 3 {
		t.Fatalf("%+v", got)
	}
	c.append(1, -1, "d")
	c.sync(2)
	c.w.Run(time.Second)
	if got := c.standing(2); got.LogStart != 2 || got.End != 4 || got.Durable != 4 {
		t.Fatalf("%+v", got)
	}
}

// goApart has 1 lead with two records that nobody else gets, and then 2.
func (c *cluster) goApart() {
	c.become(1, 1, 1, 1, 2, 3)
	c.append(1, 1, "a")
	c.sync(2)
	c.append(1, 1, "only on 1")
	c.append(1, 1, "and here")
	c.become(2, 2, 2, 2)
	c.append(2, -1, "b", "c")
	c.append(2, -1, "d")
	c.w.Run(time.Second)
}

// What a follower has may end within the batch that the leader's log begins in, when the logs went apart below there: all of it was
// deleted, and nobody can show where they part. It begins anew with that batch.
func TestAFollowerThatEndsWithinTheLeadersFirstBatchBeginsAnew(t *testing.T) {
	c := newCluster(t, replica.Synced, 1, 1, 2, 3)
	c.goApart()
	c.nodes[2].p.DeleteRecords(2, time.Minute, func(kafka.Offset, error) {})
	c.w.Run(time.Second)
	for range 3 {
		c.sync(1)
		c.w.Run(time.Second)
	}
	if got := c.standing(1); got.LogStart != 2 || got.End != 4 || got.Durable != 4 {
		t.Fatalf("%+v", got)
	}
	if !bytes.Equal(contents(t, c.nodes[1]), contents(t, c.nodes[2])) {
		t.Error("the logs differ")
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
	c.nodes[1].p.DeleteRecords(1, time.Minute, func(kafka.Offset, error) {})
	c.w.Run(time.Second)
	c.sync(2)
	c.w.Run(time.Second)
	if got := c.standing(2).LogStart; got != 1 {
		t.Fatalf("the follower's log starts at %d", got)
	}
}

// Deleted records are told to be gone when whoever may lead next has deleted them, too, and nobody who has them still joins the ISR.
func TestDeletedRecordsDoNotComeBackWithTheNextLeader(t *testing.T) {
	c := newCluster(t, replica.Synced, 2, 1, 2, 3)
	c.nodes[1].epochs[3] = 2 // that process is not the one that is registered: it may not join yet
	c.become(1, 1, 1, 1, 2)
	c.append(1, -1, "a", "b")
	for range 3 {
		c.sync(2)
		c.sync(3)
		c.w.Run(time.Second)
	}
	low, err, times := kafka.NoOffset, error(nil), 0
	ask := func(within time.Duration) {
		times = 0
		c.nodes[1].p.DeleteRecords(1, within, func(l kafka.Offset, e error) { low, err, times = l, e, times+1 })
	}
	ask(time.Second)
	c.w.Run(time.Minute)
	if code(t, err, kafka.ErrRequestTimedOut); times != 1 {
		t.Fatalf("answered %d times", times)
	}
	ask(time.Minute)
	for range 3 {
		if times != 0 {
			break
		}
		c.sync(2)
		c.w.Run(time.Second)
	}
	if err != nil || low != 1 || times != 1 || c.standing(2).LogStart != 1 {
		t.Fatalf("low watermark %d, %v, answered %d times; the member of the ISR stands at %+v", low, err, times, c.standing(2))
	}
	ask(time.Minute)
	if err != nil || low != 1 || times != 1 {
		t.Fatalf("asked again: low watermark %d, %v, answered %d times", low, err, times)
	}
	if c.standing(3).LogStart != 0 {
		t.Fatal("the other one was to lag behind")
	}
	joined := func() bool {
		w, ok := AsLeader(c.nodes[1].p).Wish()
		return ok && slices.ContainsFunc(w.ISR, func(m replica.Member) bool { return m.Node == 3 })
	}
	c.nodes[1].epochs[3] = 1
	f := AsFollower(c.nodes[3].p)
	w, _, _ := f.Where()
	got, err := AsLeader(c.nodes[1].p).Read(asks(3, w))
	if got.Slice.Release(); err != nil || joined() {
		t.Fatal("who has what was deleted joins the ISR")
	}
	for range 3 {
		c.sync(3)
		c.w.Run(time.Second)
	}
	if !joined() || c.standing(3).LogStart != 1 {
		t.Fatalf("the other one stands at %+v and doesn't join", c.standing(3))
	}
	c.become(2, 2, 2, 1, 2)
	ask(time.Minute)
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
