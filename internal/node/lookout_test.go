package node_test

import (
	"strings"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
)

// says waits until a node's log has a line with all of the parts, from a byte of it on.
func (c *cluster) says(id int32, from int, parts ...string) {
	c.t.Helper()
	m := c.at(id)
	if !c.w.RunUntil(15*time.Second, func() bool {
		for line := range strings.Lines(m.log.String()[from:]) {
			all := true
			for _, p := range parts {
				all = all && strings.Contains(line, p)
			}
			if all {
				return true
			}
		}
		return false
	}) {
		c.t.Errorf("node %d does not say %q:\n%s", id, parts, m.log.String()[from:])
	}
}

// A node that waits for others says for whom, and what would help, again and again.
func TestWhoWaitsSaysForWhat(t *testing.T) {
	const waits = "This node waits for a leader of the metadata quorum."
	t.Run("nobody begins", func(t *testing.T) {
		c := newCluster(t, 1)
		for id := range int32(3) {
			c.add(id+1, "broker,controller", servers, "h1:9093,h2:9093,h3:9093")
			c.start(int(id + 1))
		}
		for range 3 { // not only once
			from := c.at(2).log.Len()
			c.says(2, from, waits, "controllers that name each other by that key alone begin none", "the same controller.quorum.voters=ID@HOST:PORT", "(empty)")
			c.w.Run(time.Second)
		}
		for id := range int32(3) {
			if c.at(id+1).ready != nil {
				t.Errorf("node %d is ready: %v", id+1, *c.at(id + 1).ready)
			}
		}
	})
	t.Run("one is missing", func(t *testing.T) {
		c := newCluster(t, 2)
		for id := range int32(3) {
			c.add(id+1, "controller", voters, "1@h1:9093,2@h2:9093,3@h3:9093")
		}
		c.start(1)
		c.start(2)
		c.says(1, 0, waits, "nothing was heard of 3@h3:9093")
		c.start(3)
		c.serves(1)
	})
	t.Run("nobody leads", func(t *testing.T) {
		c := newSix(t, 3)
		lead := c.controller(4)
		other := lead%3 + 1
		c.kill(lead)
		c.await("another leads", 10*time.Second, func() bool { now := c.controller(4); return now > 0 && now != lead })
		last := 6 - lead - other
		voter, broker := c.at(last).log.Len(), c.at(4).log.Len()
		c.kill(other)
		c.says(last, voter, waits, "more than half of the voters 1@h1:9093, 2@h2:9093, 3@h3:9093 have to run")
		c.says(4, broker, waits, "none leads, or none answers")
		c.start(int(other))
		c.await("one leads again", 10*time.Second, func() bool { return c.controller(4) > 0 })
		c.w.Run(3 * time.Second)
		from := c.at(4).log.Len()
		c.w.Run(30 * time.Second)
		if strings.Contains(c.at(4).log.String()[from:], waits) {
			t.Error("it says so long after one leads")
		}
	})
}

// A voter that was away while it was removed, and with it all voters that it knows, finds those that there are now, and follows them.
func TestAVoterOfAnotherTimeFollows(t *testing.T) {
	t.Run("behind", func(t *testing.T) { ofAnotherTime(t, func(*cluster) {}) })
	t.Run("after an election that nobody won", func(t *testing.T) { ofAnotherTime(t, func(c *cluster) { c.campaigned(3, 1000) }) })
}

func ofAnotherTime(t *testing.T, away func(*cluster)) {
	c := newCluster(t, 9)
	for id := range int32(6) {
		roles := "controller"
		if id == 5 {
			roles = "broker"
		}
		c.add(id+1, roles, servers, "h1:9093,h4:9093,h5:9093")
	}
	c.machines[0].set[servers] = "h1:9093"
	join := func(id int32) {
		dir, ok := c.follows(6, id)
		if !ok {
			t.Fatalf("node %d does not follow", id)
		}
		if code := c.addVoter(6, id, dir); code != kafka.ErrNone {
			t.Fatalf("node %d: %v", id, code)
		}
	}
	leave := func(id int32) {
		c.await("it loses its vote", time.Minute, func() bool {
			for _, v := range c.quorum(6).CurrentVoters {
				if v.ReplicaID == id {
					code := c.removeVoter(6, id, v.ReplicaDirectoryID)
					return code == kafka.ErrNone
				}
			}
			return c.quorum(6).LeaderID > 0
		})
	}
	for _, id := range []int32{1, 6, 2, 3, 4, 5} {
		c.start(int(id))
		c.serves(id)
	}
	for id := int32(2); id <= 4; id++ {
		join(id)
	}
	c.await("four vote", 10*time.Second, func() bool { return c.votes(6, 1, 2, 3, 4) })
	c.kill(3)
	leave(3)
	join(5)
	for _, id := range []int32{1, 2, 4} {
		leave(id)
	}
	c.await("one other votes", 20*time.Second, func() bool { return c.votes(6, 5) })
	for _, id := range []int32{1, 2, 4} {
		c.kill(id)
	}
	away(c)
	from := c.at(3).log.Len()
	c.start(3)
	c.await("it follows", time.Minute, func() bool { _, ok := c.follows(6, 3); return ok })
	c.says(3, from, "taken out of the voters of the metadata quorum", "add-controller")
}
