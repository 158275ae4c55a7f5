package node_test

import (
	"slices"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/metrics"
)

// followers is what a node tells of the followers of a partition that it leads.
func (c *three) followers(leader int32, topic string, partition int32) []metrics.Follower {
	for _, p := range c.at(leader).node.Gauges().Partitions() {
		if p.Topic == topic && p.Partition == partition {
			return p.Followers
		}
	}
	return nil
}

// A leader tells of each follower what it waits for and since when: that is what explains an under-replicated partition.
func TestALeaderExplainsItsFollowers(t *testing.T) {
	c := newThree(t, 1)
	c.create(1, "t", 1)
	c.await("both followers have everything", time.Minute, func() bool {
		leader := c.leaders(1, "t")[0]
		if leader < 1 {
			return false
		}
		if code, _ := c.write(leader, "t", 0, "a"); code != kafka.ErrNone {
			return false
		}
		f := c.followers(leader, "t", 0)
		return len(f) == 2 && !slices.ContainsFunc(f, func(f metrics.Follower) bool { return f.Waits != "nothing" || f.Lag != 0 || f.Behind != 0 || !f.InSync })
	})
	leader := c.leaders(1, "t")[0]
	victim := leader%3 + 1
	of := func() metrics.Follower {
		for _, f := range c.followers(leader, "t", 0) {
			if int32(f.Node) == victim {
				return f
			}
		}
		t.Fatal("the leader tells nothing of it")
		return metrics.Follower{}
	}
	c.kill(victim)
	if code, _ := c.write(leader, "t", 0, "b"); code != kafka.ErrNone {
		t.Fatal(code)
	}
	c.await("it is silent", time.Minute, func() bool { return of().Waits == "fetch" })
	if f := of(); f.InSync || f.Lag != 1 || f.NotDurable != 1 || f.Behind < 3*time.Second || f.SinceFetch < 3*time.Second {
		t.Errorf("a dead follower: %+v", f)
	}
	c.start(int(victim))
	c.await("it has everything again", time.Minute, func() bool { f := of(); return f.Waits == "nothing" && f.InSync && f.Lag == 0 })
}
