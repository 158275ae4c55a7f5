package controller

import (
	"testing"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

// Each checker finds what it is there for, and nothing in a partition that is as it should be.
func TestCheckersFindWhatTheyAreThereFor(t *testing.T) {
	l := newLab(t)
	l.start(1, 2, 3)
	l.seed("t",
		staterecord.Partition{Replicas: nodes(1, 2, 3), ISR: nodes(1, 2), Leader: 1},
		staterecord.Partition{Replicas: nodes(1, 2, 3), ISR: nodes(1, 2), ELR: nodes(3), Leader: 1},
		staterecord.Partition{Replicas: nodes(2, 1, 3), Adding: nodes(2), Removing: nodes(1), ISR: nodes(1, 3), Leader: 1},
		staterecord.Partition{Replicas: nodes(2, 3), ISR: nodes(3), Leader: 3, LeaderEpoch: 1, PartitionEpoch: 1})
	img := l.m.Committed()
	fresh := func(was, is int32) checked {
		c := checked{before: img, after: img, rules: rules{minISR: 2, eligible: true}, holdings: ledger{}.of(kafka.TopicIDPartition{})}
		c.was, _ = img.TopicNamed("t").Partition(was)
		c.is, _ = img.TopicNamed("t").Partition(is)
		for id := range kafka.NodeID(4) {
			c.held[id] = 5
		}
		c.committed = 5
		return c
	}
	for _, check := range checks() {
		if what := check.find(fresh(0, 0)); what != "" {
			t.Errorf("%s finds %q where nothing is wrong", check.name, what)
		}
	}
	wrong := map[string]checked{"R4": fresh(0, 0), "R7": fresh(0, 0), "R9": fresh(1, 1), "R12": fresh(0, 0), "R13": fresh(2, 3)}
	wrong["R4"].served[0] = kafka.IncarnationID{7}
	wrong["R7"].held[2] = 4
	stale := wrong["R12"]
	stale.records = 1
	wrong["R12"] = stale
	for _, check := range checks() {
		if check.find(wrong[check.name]) == "" {
			t.Errorf("%s does not find what it is there for", check.name)
		}
	}
}
