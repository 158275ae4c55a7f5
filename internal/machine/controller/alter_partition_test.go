package controller

import (
	"testing"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

// wished is a wish of the leader of t-0 as it is in threeOn.
func wished(isr ...kafka.NodeID) PartitionWish {
	return PartitionWish{ID: kafka.TopicIDPartition{TopicID: topicID("t")}, LeaderEpoch: 5, PartitionEpoch: 9, ISR: isr}
}

// threeOn returns brokers 1 to 5 of which 4 is fenced and 5 is shutting down, and t-0 led by 1.
func threeOn(t *testing.T) *lab {
	l := newLab(t)
	l.start(1, 2, 3, 5)
	l.must(registration(4, 1))
	l.seed("other", staterecord.Partition{Replicas: nodes(5, 1), ISR: nodes(5, 1), Leader: 5})
	l.beat(5, wantShutdown)
	l.seed("t", staterecord.Partition{Replicas: nodes(1, 2, 3, 4, 5, 6), ISR: nodes(1, 2), Leader: 1, LeaderEpoch: 5, PartitionEpoch: 9})
	return l
}

func TestAlterPartitionIsRefused(t *testing.T) {
	with := func(f func(*PartitionWish)) PartitionWish {
		w := wished(1, 2, 3)
		f(&w)
		return w
	}
	for _, c := range []struct {
		name string
		from kafka.NodeID
		wish PartitionWish
		code kafka.ErrorCode
	}{
		{"no topic", 1, with(func(w *PartitionWish) { w.ID.TopicID = topicID("none") }), kafka.ErrUnknownTopicId},
		{"no partition", 1, with(func(w *PartitionWish) { w.ID.Partition = 1 }), kafka.ErrUnknownTopicOrPartition},
		{"leader epoch ahead", 1, with(func(w *PartitionWish) { w.LeaderEpoch = 6 }), kafka.ErrNotController},
		{"partition epoch ahead", 1, with(func(w *PartitionWish) { w.PartitionEpoch = 10 }), kafka.ErrNotController},
		{"leader epoch behind", 1, with(func(w *PartitionWish) { w.LeaderEpoch = 4 }), kafka.ErrFencedLeaderEpoch},
		{"not the leader", 2, wished(1, 2), kafka.ErrInvalidRequest},
		{"partition epoch behind", 1, with(func(w *PartitionWish) { w.PartitionEpoch = 8 }), kafka.ErrInvalidUpdateVersion},
		{"no replica", 1, wished(1, 7), kafka.ErrInvalidRequest},
		{"twice", 1, wished(1, 1), kafka.ErrInvalidRequest},
		{"without the leader", 1, wished(2), kafka.ErrInvalidRequest},
		{"back to recovering", 1, PartitionWish{ID: wished().ID, LeaderEpoch: 5, PartitionEpoch: 9, ISR: nodes(1), Recovery: staterecord.Recovering},
			kafka.ErrInvalidRequest},
		{"several while recovering", 1, with(func(w *PartitionWish) { w.Recovery = staterecord.Recovering }), kafka.ErrInvalidRequest},
		{"no such recovery", 1, with(func(w *PartitionWish) { w.Recovery = 7 }), kafka.ErrInvalidRequest},
		{"fenced", 1, wished(1, 4), kafka.ErrIneligibleReplica},
		{"shutting down", 1, wished(1, 5), kafka.ErrIneligibleReplica},
		{"not registered", 1, wished(1, 6), kafka.ErrIneligibleReplica},
		{"another incarnation", 1, with(func(w *PartitionWish) { w.Epochs = []kafka.BrokerEpoch{-1, -1, 1} }), kafka.ErrIneligibleReplica},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := threeOn(t)
			got := l.must(AlterPartition{Broker: c.from, Epoch: l.epoch(c.from), Partitions: []PartitionWish{c.wish}}).([]AlteredPartition)[0]
			if got.Code != c.code || len(l.last) != 0 {
				t.Errorf("%s %q with %d records, want %s", got.Code, got.Message, len(l.last), c.code)
			}
		})
	}
	l := threeOn(t)
	l.refused(AlterPartition{Broker: 9}, kafka.ErrStaleBrokerEpoch, "No broker registration found for broker id 9")
}

func TestAlterPartitionGrantsAnISR(t *testing.T) {
	l := threeOn(t)
	w := wished(1, 3)
	w.Epochs = []kafka.BrokerEpoch{l.epoch(1), l.epoch(3)}
	got := l.must(AlterPartition{Broker: 1, Epoch: l.epoch(1), Partitions: []PartitionWish{w, w}}).([]AlteredPartition)
	if a := got[0]; !a.OK() || a.Leader != 1 || a.LeaderEpoch != 5 || a.PartitionEpoch != 10 || len(a.ISR) != 2 || a.ISR[1] != 3 {
		t.Errorf("%+v", a)
	}
	if got[1].Code != kafka.ErrInvalidRequest {
		t.Errorf("the second wish for one partition: %+v", got[1])
	}
	l.expect("t", 0, "replicas [1 2 3 4 5 6] isr [1 3] leader 1 epoch 5.10")
	w.PartitionEpoch = 10
	again := l.must(AlterPartition{Broker: 1, Epoch: l.epoch(1), Partitions: []PartitionWish{w}}).([]AlteredPartition)[0]
	if !again.OK() || again.PartitionEpoch != 11 || len(again.ISR) != 2 || len(l.last) != 1 {
		t.Errorf("a wish for what is: %+v with %d records", again, len(l.last))
	}
	w.ISR = nodes(1, 3, 4)
	older := l.must(AlterPartition{Broker: 1, Epoch: l.epoch(1), Partitions: []PartitionWish{w}}).([]AlteredPartition)[0]
	if older.Code != kafka.ErrInvalidUpdateVersion {
		t.Errorf("an older wish that comes after it: %+v", older)
	}
}

func TestAlterPartitionCompletesAReassignment(t *testing.T) {
	l := newLab(t)
	l.start(1, 2, 3)
	l.seed("t", staterecord.Partition{Replicas: nodes(3, 1, 2), ISR: nodes(1, 2), Adding: nodes(3), Removing: nodes(1), Leader: 1})
	w := PartitionWish{ID: wished().ID, ISR: nodes(1, 2, 3)}
	got := l.must(AlterPartition{Broker: 1, Epoch: l.epoch(1), Partitions: []PartitionWish{w}}).([]AlteredPartition)[0]
	if got.Code != kafka.ErrNewLeaderElected {
		t.Errorf("%+v", got)
	}
	l.expect("t", 0, "replicas [3 2] isr [2 3] leader 3 epoch 1.1")
	if p, _ := l.m.Committed().TopicNamed("t").Partition(0); p.Reassigning() || p.Directory(3) != dirOf(3) {
		t.Errorf("still reassigning, or in directory %s", p.Directory(3))
	}
}

func TestUncleanElectionOnlyByConfig(t *testing.T) {
	l := newLab(t)
	l.start(1, 2)
	l.seed("safe", staterecord.Partition{Replicas: nodes(1, 2), ISR: nodes(1), Leader: 1})
	l.seed("loose", staterecord.Partition{Replicas: nodes(1, 2), ISR: nodes(1), Leader: 1})
	l.alter(alter(ofTopic, "loose", "unclean.leader.election.enable=true"))
	l.expire(2)
	l.expect("safe", 0, "replicas [1 2] isr [] leader -1 epoch 1.1 elr [1] last [1]")
	l.expect("loose", 0, "replicas [1 2] isr [2] leader 2 epoch 1.1 recovering")
	w := PartitionWish{ID: kafka.TopicIDPartition{TopicID: topicID("loose")}, LeaderEpoch: 1, PartitionEpoch: 1, ISR: nodes(2)}
	l.must(AlterPartition{Broker: 2, Epoch: l.epoch(2), Partitions: []PartitionWish{w}})
	l.expect("loose", 0, "replicas [1 2] isr [2] leader 2 epoch 1.2")
	l.alter(alter(ofBroker, "", "unclean.leader.election.enable=true"))
	l.seed("inherits", staterecord.Partition{Replicas: nodes(1, 2), ISR: nodes(1), Leader: -1})
	l.must(registration(3, 1))
	l.beat(3)
	l.expect("inherits", 0, "replicas [1 2] isr [2] leader 2 epoch 1.1 recovering")
}

func TestELROfAnOlderLogIsGivenUp(t *testing.T) {
	l := newLab(t)
	l.start(1, 2, 3)
	l.seed("t", staterecord.Partition{Replicas: nodes(1, 2, 3), ISR: nodes(1), ELR: nodes(2), LastKnownELR: nodes(3), Leader: 1})
	w := PartitionWish{ID: wished().ID, ISR: nodes(1, 3)}
	l.must(AlterPartition{Broker: 1, Epoch: l.epoch(1), Partitions: []PartitionWish{w}})
	if p, _ := l.m.Committed().TopicNamed("t").Partition(0); len(p.ELR()) != 0 || len(p.LastKnownELR()) != 0 {
		t.Errorf("ELR %v, last known %v", p.ELR(), p.LastKnownELR())
	}
}
