package partition

import (
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/replica"
)

// A leader that gives way brings what it has to the others first, also what was acknowledged before anybody else had it; who
// writes meanwhile has written nothing when it hears of the next leader (KAFKA-20554).
func TestALeaderThatGivesWayTakesNothingBack(t *testing.T) {
	c := newCluster(t, replica.Synced, 2, 1, 2)
	c.become(1, 1, 1, 1, 2)
	early := c.append(1, 1, "early")
	if early.Err != nil {
		t.Fatal(early.Err)
	}
	drained := 0
	l := AsLeader(c.nodes[1].p)
	l.Yield(func() { drained++ })
	late := c.append(1, -1, "late")
	later := c.append(1, 1, "later")
	if drained != 0 || late.Err != errPending || later.Err != errPending {
		t.Fatalf("drained %d times with a record that nobody else has; %v, %v", drained, late.Err, later.Err)
	}
	for range 3 {
		c.fetch(2)
		c.sync(2)
		c.w.Run(time.Second)
	}
	if drained != 1 {
		t.Fatalf("drained %d times, when the other has everything", drained)
	}
	c.become(1, 1, 2, 1, 2) // other news than of leaders
	if late.Err != errPending {
		t.Fatalf("a writer went on: %v", late.Err)
	}
	c.become(2, 2, 3, 2)
	code(t, late.Err, kafka.ErrNotLeaderOrFollower)
	code(t, later.Err, kafka.ErrNotLeaderOrFollower)
	for id, n := range c.nodes {
		if end := n.p.log.Offsets().End; end != 1 {
			t.Errorf("the log of %d ends at %d: somebody wrote who was told that he did not", id, end)
		}
	}
	if after := c.append(1, 1, "after"); after.Err == nil || after.Err == errPending {
		t.Errorf("who asks later is answered %v", after.Err)
	}
}

// Where nobody leads after all writers go on, in their order; where nothing can be committed nobody waits for that.
func TestALeaderThatStays(t *testing.T) {
	c := newCluster(t, replica.Synced, 2, 1, 2)
	c.become(1, 1, 1, 1)
	drained := 0
	l := AsLeader(c.nodes[1].p)
	c.append(1, 1, "a")
	l.Yield(func() { drained++ })
	l.Yield(func() { drained++ })
	if drained != 2 {
		t.Fatalf("waits for what cannot be committed: %d", drained)
	}
	b, d := c.append(1, 1, "b"), c.append(1, 1, "d")
	l.Resume()
	e := c.append(1, 1, "e")
	for i, a := range []*Appended{b, d, e} {
		if a.Err != nil || a.Base != kafka.Offset(i+1) {
			t.Errorf("write %d is at %d, %v", i, a.Base, a.Err)
		}
	}
	AsLeader(c.nodes[2].p).Yield(func() { drained++ })
	if drained != 3 {
		t.Error("a follower has something to give up")
	}
}

// A stop, or a disk that fails, leaves nobody waiting for a next leader.
func TestWhoWaitsForANextLeaderHearsOfAStop(t *testing.T) {
	for _, end := range []func(*Partition){
		func(p *Partition) { p.Stop(func(Closed) {}) },
		func(p *Partition) { p.at().Lose(p, errPending) },
		func(p *Partition) { _, _ = p.Delete() },
	} {
		c := newCluster(t, replica.Synced, 1, 1, 2)
		c.become(1, 1, 1, 1, 2)
		c.append(1, 1, "a")
		drained := 0
		AsLeader(c.nodes[1].p).Yield(func() { drained++ })
		b := c.append(1, 1, "b")
		answered := b.Err != errPending
		end(c.nodes[1].p)
		c.w.Run(time.Second)
		if answered || b.LogStart != kafka.NoOffset || drained != 1 {
			t.Errorf("answered before: %v, then with %+v; drained %d times", answered, b, drained)
		}
	}
}

// Writers that go on because nobody else leads after all don't write into a log that is just being replaced by its copy in another
// directory: they wait for that, too. And who waited for the copy waits for the next leader.
func TestWhoWaitsForANextLeaderWaitsForAMoveToo(t *testing.T) {
	c := newCluster(t, replica.Synced, 1, 1, 2)
	c.become(1, 1, 1, 1)
	p := c.nodes[1].p
	c.append(1, 1, "a")
	l := AsLeader(p)
	l.Yield(func() {})
	b := c.append(1, 1, "b")
	m := &Move{p: p, still: true}
	p.ending.move = m
	l.Resume()
	if end := p.log.Offsets().End; end != 1 || b.Err != errPending {
		t.Fatalf("the log ends at %d while it is being replaced, and the writer hears %v", end, b.Err)
	}
	l.Yield(func() {})
	m.thaw()
	p.ending.move = nil
	if end := p.log.Offsets().End; end != 1 || b.Err != errPending {
		t.Fatalf("the log ends at %d while its leader gives way, and the writer hears %v", end, b.Err)
	}
	l.Resume()
	if b.Err != nil || b.Base != 1 {
		t.Errorf("the write is at %d, %v", b.Base, b.Err)
	}
}
