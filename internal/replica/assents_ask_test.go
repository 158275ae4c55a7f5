package replica_test

import (
	"testing"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	machine "github.com/milena-io/milena/internal/machine/replica"
	"github.com/milena-io/milena/internal/replica"
)

// assent is what became of a question of node 1, which leads partition 0 in epoch 1.
func (c *city) assent(a *replica.Assents, id kafka.TopicID, rivals ...kafka.NodeID) error {
	c.t.Helper()
	var ask []replica.Source
	for _, r := range rivals {
		ask = append(ask, replica.Source{Node: r, Addr: addr(r)})
	}
	told, out := 0, error(nil)
	a.Ask(kafka.TopicPartition{Topic: "t"}, id, 1, ask, func(err error) { told, out = told+1, err })
	if !c.w.RunUntil(time.Minute, func() bool { return told > 0 }) || told != 1 {
		c.t.Fatalf("told %d times", told)
	}
	return out
}

// Those who are asked over the network assent until they have heard of a later leader, also where their replica went with it.
func TestAssentsAreAsked(t *testing.T) {
	c := newCity(t, 6, 1, 2)
	a := replica.NewAssents(c.node(1).peers, 1)
	hear := func(what string, want kafka.ErrorCode, id kafka.TopicID, rivals ...kafka.NodeID) {
		t.Helper()
		if err := c.assent(a, id, rivals...); fault.CodeOf(err) != want {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	hear("two followers", kafka.ErrNone, topic, 2, 3)
	hear("another topic of the name", kafka.ErrUnknownTopicId, kafka.TopicID{2}, 2, 3)

	c.node(2).learn(0, machine.Registration{Leader: 2, LeaderEpoch: 2, PartitionEpoch: 2, Replicas: []kafka.NodeID{1, 2, 3}, ISR: []kafka.NodeID{2, 3}})
	hear("the successor", kafka.ErrFencedLeaderEpoch, topic, 2)
	hear("who has not heard of it", kafka.ErrNone, topic, 3)
	hear("both", kafka.ErrFencedLeaderEpoch, topic, 2, 3)

	c.node(3).knows[0] = 1
	hear("who has no replica and knows of no other leader", kafka.ErrNone, topic, 3)
	c.node(3).knows[0] = 3
	hear("who has no replica any more and knows of a later leader", kafka.ErrFencedLeaderEpoch, topic, 3)

	c.kill(3, false)
	if err := c.assent(a, topic, 3); err == nil || fault.CodeOf(err) == kafka.ErrFencedLeaderEpoch {
		t.Errorf("who is dead told %v", err)
	}
	hear("the successor and who is dead", kafka.ErrFencedLeaderEpoch, topic, 3, 2)

	a.Close()
	if err := c.assent(a, topic, 2); err == nil {
		t.Error("one that is closed was told something")
	}
}
