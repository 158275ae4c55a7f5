package controller

import (
	"testing"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

// hangs is what a heartbeat says of directories whose flushes hang.
func hangs(dirs ...kafka.DirectoryID) func(*Heartbeat) {
	return func(h *Heartbeat) { h.Stalled = dirs }
}

func (l *lab) configure(topic, name, value string) {
	l.m.Apply(l.next, &staterecord.Config{ResourceType: staterecord.ResourceTopic, ResourceName: topic, Name: name, Value: &value})
	l.next++
	l.m.Commit(l.next)
}

// D5: a leader whose disk hangs is succeeded by another member of the ISR whose disk doesn't, and leaves the ISR; where it follows it leaves
// the ISRs that are large enough without it, once; who is alone keeps its place.
func TestAReplicaWhoseDiskHangsGivesWay(t *testing.T) {
	l := newLab(t)
	l.start(1, 2, 3)
	l.seed("led", staterecord.Partition{Replicas: nodes(1, 2, 3), ISR: nodes(1, 2, 3), Leader: 1})
	l.seed("followed", staterecord.Partition{Replicas: nodes(2, 1, 3), ISR: nodes(2, 1, 3), Leader: 2})
	l.seed("small", staterecord.Partition{Replicas: nodes(2, 1, 3), ISR: nodes(2, 1), Leader: 2})
	l.seed("alone", staterecord.Partition{Replicas: nodes(1, 2, 3), ISR: nodes(1), Leader: 1})
	l.seed("cached", staterecord.Partition{Replicas: nodes(1, 2, 3), ISR: nodes(1, 2, 3), Leader: 1})
	for _, topic := range []string{"led", "followed", "small", "alone"} {
		l.configure(topic, minInSync, "2")
	}
	l.configure("cached", durability, "cache")
	l.beat(1)
	if len(l.last) > 0 {
		t.Fatalf("a broker whose disk is well has %d records written", len(l.last))
	}
	l.beat(1, hangs(dirOf(9)))
	l.beat(1)
	if len(l.last) > 0 {
		t.Fatal("a directory that is not its own")
	}
	l.beat(1, hangs(dirOf(1)))
	l.expect("led", 0, "replicas [1 2 3] isr [2 3] leader 2 epoch 1.1")
	l.expect("followed", 0, "replicas [2 1 3] isr [2 3] leader 2 epoch 0.1")
	l.expect("small", 0, "replicas [2 1 3] isr [2 1] leader 2 epoch 0.0")
	l.expect("alone", 0, "replicas [1 2 3] isr [1] leader 1 epoch 0.0")
	l.expect("cached", 0, "replicas [1 2 3] isr [1 2 3] leader 1 epoch 0.0")

	// What has nothing to make durable joins again, and nobody throws it out with each heartbeat; but it doesn't come to lead.
	for _, topic := range []string{"led", "followed"} {
		p, _ := l.m.Committed().TopicNamed(topic).Partition(0)
		l.must(AlterPartition{Broker: 2, Epoch: l.epoch(2), Partitions: []PartitionWish{{
			ID: kafka.TopicIDPartition{TopicID: topicID(topic)}, LeaderEpoch: p.LeaderEpoch, PartitionEpoch: p.PartitionEpoch, ISR: nodes(1, 2, 3),
		}}})
	}
	l.beat(1, hangs(dirOf(1)))
	if len(l.last) > 0 {
		t.Errorf("the second word of it writes %d records", len(l.last))
	}
	elect := ElectLeaders{Partitions: []kafka.TopicPartition{{Topic: "led"}}}
	if out := l.must(elect).([]ElectedLeader); out[0].Code != kafka.ErrPreferredLeaderNotAvailable {
		t.Errorf("electing it: %+v", out)
	}
	l.beat(3, hangs(dirOf(3))) // the third disk hangs, too
	l.expect("led", 0, "replicas [1 2 3] isr [1 2] leader 2 epoch 1.3")
	l.beat(2, hangs(dirOf(2))) // and the last: it would hand over to one that hangs
	l.expect("led", 0, "replicas [1 2 3] isr [1 2] leader 2 epoch 1.3")
	l.beat(1) // well again
	l.beat(2, hangs(dirOf(2)))
	l.expect("led", 0, "replicas [1 2 3] isr [1] leader 1 epoch 2.4 elr [2]")
	l.beat(1, hangs(dirOf(1)))
	l.expect("led", 0, "replicas [1 2 3] isr [1] leader 1 epoch 2.4 elr [2]")
}
