package controller

import (
	"fmt"
	"testing"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

// A word of before the last change of the partition is refused, and so the partition settles on; the same of another node.
func TestOnlyTheLeadersNewestWordEndsSettling(t *testing.T) {
	l := newLab(t)
	l.start(1, 2)
	l.seed("t", staterecord.Partition{Replicas: nodes(1, 2), ISR: nodes(1, 2), Leader: 1, Settling: staterecord.Settles})
	say := func(from kafka.NodeID, leader kafka.LeaderEpoch, epoch kafka.PartitionEpoch) kafka.ErrorCode {
		return l.must(AlterPartition{Broker: from, Epoch: l.epoch(from), Partitions: []PartitionWish{{
			ID: kafka.TopicIDPartition{TopicID: topicID("t")}, LeaderEpoch: leader, PartitionEpoch: epoch, ISR: nodes(1, 2), Settled: true,
		}}}).([]AlteredPartition)[0].Code
	}
	l.must(BrokerDead{Broker: 1, Epoch: l.epoch(1)})
	l.expect("t", 0, "replicas [1 2] isr [2] leader 2 epoch 1.1 settling")
	for _, c := range []struct {
		from   kafka.NodeID
		leader kafka.LeaderEpoch
		epoch  kafka.PartitionEpoch
		want   kafka.ErrorCode
	}{
		{2, 0, 0, kafka.ErrFencedLeaderEpoch}, {2, 1, 0, kafka.ErrInvalidUpdateVersion}, {1, 1, 1, kafka.ErrInvalidRequest},
		{2, 1, 1, kafka.ErrIneligibleReplica}, // broker 1 is fenced
	} {
		if got := say(c.from, c.leader, c.epoch); got != c.want || len(l.last) != 0 {
			t.Errorf("%+v: %v, %d records", c, got, len(l.last))
		}
	}
	l.expect("t", 0, "replicas [1 2] isr [2] leader 2 epoch 1.1 settling")
}

// A leader whose disk hangs gives way while its partition settles: writers wait for that disk.
func TestALeaderWhoseDiskHangsGivesWayWhileItSettles(t *testing.T) {
	l := newLab(t)
	l.start(1, 2)
	l.seed("t", staterecord.Partition{Replicas: nodes(1, 2), ISR: nodes(1, 2), Leader: 1, Settling: staterecord.Settles})
	l.beat(1, hangs(dirOf(1)))
	l.expect("t", 0, "replicas [1 2] isr [2] leader 2 epoch 1.1 settling")
}

// More partitions than go into one batch are not switched at once, and nothing is changed then.
func TestTooManyPartitionsAreNotSwitchedAtOnce(t *testing.T) {
	l := newLab(t)
	l.start(1, 2)
	l.alter(alter(ofBroker, "", "milena.durability=cache"))
	for _, name := range []string{"a", "b"} {
		parts := make([]staterecord.Partition, maxLeaving/2+1)
		for i := range parts {
			parts[i] = staterecord.Partition{Replicas: nodes(1, 2), ISR: nodes(1, 2), Leader: 1}
		}
		l.seed(name, parts...)
	}
	change := alter(ofBroker, "", "milena.durability=sync")
	l.refused(AlterConfigs{Resources: []AlterResource{change}}, kafka.ErrPolicyViolation, fmt.Sprintf(
		"milena.durability would change for %d partitions at once, and at most %d can: set it for some topics at a time, and for all brokers after them.",
		maxLeaving+2, maxLeaving))
	l.alter(alter(ofTopic, "a", "milena.durability=sync"))
	if n := bytesIn(l.last); len(l.last) != maxLeaving/2+2 || n > 4<<20 {
		t.Errorf("%d records take %d bytes", len(l.last), n)
	}
	l.alter(change)
	if len(l.last) != maxLeaving/2+2 {
		t.Errorf("%d records", len(l.last))
	}
}
