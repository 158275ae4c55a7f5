package node_test

import (
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
)

// What a cluster goes through is counted where it happens: who follows tells of its lag, who leads of its ISR, who controls of
// whom it has given up, and the new leader of the quorum of its election.
func TestGaugesTellOfReplicationAndFailover(t *testing.T) {
	c := newThree(t, 3)
	c.create(1, "t", 3)
	c.await("everybody leads one", time.Minute, func() bool {
		led := map[int32]bool{}
		for _, l := range c.leaders(1, "t") {
			led[l] = l > 0
		}
		return len(led) == 3
	})
	for p, leader := range c.leaders(1, "t") {
		if code, _ := c.write(leader, "t", int32(p), "before"); code != kafka.ErrNone {
			t.Fatal(code)
		}
	}
	for id := range int32(3) {
		g := c.at(id + 1).node.Gauges()
		s := g.Standing()
		if s.Traffic.ReplicationIn == 0 || s.Traffic.ReplicationOut == 0 || s.Traffic.Fetches != 0 {
			t.Errorf("node %d: %+v", id+1, s.Traffic)
		}
		f := g.Followed()
		if len(f) != 2 || f[0].Lag > 1 || f[0].Leader == kafka.NodeID(id+1) {
			t.Errorf("node %d follows %+v", id+1, f)
		}
	}
	victim := c.controller(1)
	other := victim%3 + 1
	if s := c.at(victim).node.Gauges().Standing().Quorum; int32(s.Vote) != victim || s.Commit.Count == 0 || s.Commit.Max <= 0 || s.Election.Count == 0 {
		t.Errorf("the leader of the quorum: %+v", s)
	}
	c.kill(victim)
	p := int32(-1)
	for number, leader := range c.leaders(other, "t") {
		if leader == other {
			p = int32(number)
		}
	}
	c.await("the others go on", time.Minute, func() bool {
		leader := c.leaders(other, "t")[p]
		code, _ := c.write(leader, "t", p, "after")
		return leader != victim && code == kafka.ErrNone && c.controller(other) != victim
	})
	now := c.controller(other)
	s := c.at(now).node.Gauges().Standing()
	if f := s.Controller.Failovers; f.Count != 1 || f.Max <= 0 || f.Max > 5*time.Second {
		t.Errorf("the new controller tells of %+v", f)
	}
	if s.Quorum.Election.Count == 0 || s.Quorum.Election.Max <= 0 || int32(s.Quorum.Vote) != now {
		t.Errorf("its election: %+v", s.Quorum)
	}
	expands := c.at(other).node.Gauges().Standing().Replication.ISRExpands
	c.start(int(victim))
	c.await("it is in sync again", time.Minute, func() bool {
		return c.at(other).node.Gauges().Standing().Replication.ISRExpands > expands
	})
}
