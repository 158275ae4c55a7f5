package controller

import (
	"fmt"
	"testing"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

var dirB, dirC = kafka.DirectoryID{0: 0xb}, kafka.DirectoryID{0: 0xc}

// severalDirs starts broker 1 with three directories, and broker 2 with its own.
func severalDirs(t *testing.T) *lab {
	l := newLab(t)
	l.start(2)
	r := registration(1, 1)
	r.LogDirs = append(r.LogDirs, dirB, dirC)
	l.must(r)
	l.beat(1)
	return l
}

func (l *lab) assign(topic string, partition int32, dir kafka.DirectoryID) AssignedReplica {
	l.t.Helper()
	id := kafka.TopicIDPartition{TopicID: topicID(topic), Partition: partition}
	cmd := AssignReplicas{Broker: 1, Epoch: l.epoch(1), Replicas: []ReplicaHome{{id, dir}}}
	return l.must(cmd).([]AssignedReplica)[0]
}

func (l *lab) directory(topic string, partition int32) kafka.DirectoryID {
	l.t.Helper()
	p, _ := l.m.Committed().TopicNamed(topic).Partition(partition)
	return p.Directory(1)
}

func TestBrokerSaysWhereItsReplicasAre(t *testing.T) {
	l := severalDirs(t)
	l.seed("t", staterecord.Partition{Replicas: nodes(1, 2), ISR: nodes(1, 2), Leader: 1})
	if got := l.assign("t", 0, dirB); !got.OK() || l.directory("t", 0) != dirB {
		t.Errorf("%+v, directory %s", got, l.directory("t", 0))
	}
	l.expect("t", 0, "replicas [1 2] isr [1 2] leader 1 epoch 0.1")
	if l.assign("t", 0, dirB); len(l.last) != 0 {
		t.Errorf("said again it writes %d records", len(l.last))
	}
	p, _ := l.m.Committed().TopicNamed("t").Partition(0)
	if p.Directory(2) != dirOf(2) {
		t.Errorf("the other replica moved to %s", p.Directory(2))
	}
}

func TestAReplicaInADeadDirectoryDoesNotLead(t *testing.T) {
	for _, dir := range []kafka.DirectoryID{kafka.DirectoryLost, {0: 0xdd}} {
		l := severalDirs(t)
		l.seed("pair", staterecord.Partition{Replicas: nodes(1, 2), ISR: nodes(1, 2), Leader: 1})
		l.seed("alone", staterecord.Partition{Replicas: nodes(1), ISR: nodes(1), Leader: 1})
		l.assign("pair", 0, dir)
		l.assign("alone", 0, dir)
		l.expect("pair", 0, "replicas [1 2] isr [2] leader 2 epoch 1.1")
		l.expect("alone", 0, "replicas [1] isr [] leader -1 epoch 1.1 elr [1] last [1]")
		l.beat(1) // a heartbeat makes nobody lead from there
		l.expect("alone", 0, "replicas [1] isr [] leader -1 epoch 1.1 elr [1] last [1]")
		l.assign("alone", 0, dirC)
		l.expect("alone", 0, "replicas [1] isr [1] leader 1 epoch 2.2")
	}
}

func TestAssignmentsAreRefusedOneByOne(t *testing.T) {
	l := severalDirs(t)
	id := l.seed("t", staterecord.Partition{Replicas: nodes(1), ISR: nodes(1), Leader: 1}, staterecord.Partition{Replicas: nodes(2), ISR: nodes(2), Leader: 2})
	cmd := AssignReplicas{Broker: 1, Epoch: l.epoch(1)}
	for _, at := range []kafka.TopicIDPartition{{TopicID: id}, {TopicID: id}, {TopicID: id, Partition: 1}, {TopicID: id, Partition: 7}, {TopicID: topicID("no")}} {
		cmd.Replicas = append(cmd.Replicas, ReplicaHome{at, dirB})
	}
	want := []kafka.ErrorCode{kafka.ErrNone, kafka.ErrInvalidRequest, kafka.ErrNotLeaderOrFollower, kafka.ErrUnknownTopicOrPartition, kafka.ErrUnknownTopicId}
	for i, got := range l.must(cmd).([]AssignedReplica) {
		if got.Code != want[i] {
			t.Errorf("%+v: %v, want %v", got.ID, got.Code, want[i])
		}
	}
	cmd.Epoch = 99
	l.refused(cmd, kafka.ErrStaleBrokerEpoch, fmt.Sprintf("Expected broker epoch %d, but got broker epoch 99", l.epoch(1)))
}

// A broker that comes back without a directory may have kept there what it has not told the place of.
func TestReplicasWithoutAPlaceAreGivenUpWithAMissingDirectory(t *testing.T) {
	for name, c := range map[string]struct {
		now   []kafka.DirectoryID
		want  kafka.DirectoryID
		state string
	}{
		"all there":   {[]kafka.DirectoryID{dirOf(1), dirB, dirC}, kafka.DirectoryUnassigned, "isr [1] leader 1 epoch 2.2"},
		"one more":    {[]kafka.DirectoryID{dirOf(1), dirB, dirC, {0: 0xd}}, kafka.DirectoryUnassigned, "isr [1] leader 1 epoch 2.2"},
		"one missing": {[]kafka.DirectoryID{dirOf(1), dirB}, dirC, "isr [] leader -1 epoch 1.2 elr [1] last [1]"},
		"two missing": {[]kafka.DirectoryID{dirB}, kafka.DirectoryLost, "isr [] leader -1 epoch 1.2 elr [1] last [1]"},
	} {
		t.Run(name, func(t *testing.T) {
			l := severalDirs(t)
			id := topicID("t")
			for _, r := range []staterecord.Record{
				&staterecord.Topic{Name: "t", TopicID: id},
				&staterecord.Partition{TopicID: id, Replicas: nodes(1), ISR: nodes(1), Leader: 1, Directories: []kafka.DirectoryID{{}}},
				&staterecord.Partition{PartitionID: 1, TopicID: id, Replicas: nodes(1), ISR: nodes(1), Leader: 1, Directories: []kafka.DirectoryID{dirB}},
			} {
				l.m.Apply(l.next, r)
				l.next++
			}
			l.m.Commit(l.next)
			again := registration(1, 2)
			again.Colocated, again.LogDirs = true, c.now
			l.must(again)
			l.beat(1)
			if got := l.directory("t", 0); got != c.want {
				t.Errorf("the replica is in %s, want %s", got, c.want)
			}
			l.expect("t", 0, "replicas [1] "+c.state)
			l.expect("t", 1, "replicas [1] isr [1] leader 1 epoch 2.2") // which place is known keeps it
		})
	}
}
