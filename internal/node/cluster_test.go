package node_test

import (
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

// Three nodes that know each other's addresses become one cluster; whoever controls and leads is killed, the others take over, with
// every record, and the one that comes back is in sync again.
func TestThreeNodesAreACluster(t *testing.T) {
	for seed := range uint64(20) {
		c := newThree(t, seed)
		c.create(int32(seed%3)+1, "t", 6) // whoever controls
		for _, id := range []int32{1, 2, 3} {
			c.await("everybody knows the topic", time.Second, func() bool { return len(c.leaders(id, "t")) == 6 })
		}
		for p, leader := range c.leaders(1, "t") {
			if code, at := c.write(leader, "t", int32(p), "before"); code != kafka.ErrNone || at != 0 {
				t.Fatalf("seed %d: %v at %d", seed, code, at)
			}
		}
		victim := c.controller(1)
		if victim < 1 || victim > 3 {
			t.Fatalf("seed %d: the controller is %d", seed, victim)
		}
		other := victim%3 + 1
		c.kill(victim)
		for p := range int32(6) {
			c.await("another leads, and takes writes", 10*time.Second, func() bool {
				leader := c.leaders(other, "t")[p]
				if leader < 1 || leader == victim {
					return false
				}
				code, at := c.write(leader, "t", p, "after")
				return code == kafka.ErrNone && at == 1
			})
		}
		c.start(int(victim))
		c.await("it comes back", time.Minute, func() bool { return c.at(victim).ready != nil })
		c.await("it is in sync again", 10*time.Second, func() bool {
			req := kmsg.NewPtrMetadataRequest()
			req.Version = 9
			for _, p := range ask[*kmsg.MetadataResponse](c, other, req).Topics[0].Partitions {
				if !slices.Contains(p.ISR, victim) {
					return false
				}
			}
			return true
		})
	}
}

// All three die at once and start again: whoever comes to control gives each old incarnation a fresh session, and is told by its
// successor that it is gone.
func TestAfterAllDiedNobodyWaitsForASession(t *testing.T) {
	for seed := range uint64(5) {
		c := newThree(t, seed)
		c.create(int32(seed%3)+1, "t", 3)
		c.await("everybody knows the topic", time.Second, func() bool { return len(c.leaders(1, "t")) == 3 })
		for id := range int32(3) {
			c.kill(id + 1)
		}
		for id := range 3 {
			c.start(id + 1)
		}
		began := c.w.Now().Mono
		for _, m := range c.machines {
			c.await("it serves again", time.Minute, func() bool { return m.ready != nil })
		}
		if took := c.w.Now().Mono - began; took > 5*time.Second { // of 9, in virtual time
			t.Fatalf("seed %d: it took %v", seed, took)
		}
	}
}
