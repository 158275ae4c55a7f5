package controller

import (
	"slices"

	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/mutant"
	"github.com/milena-io/milena/internal/staterecord"
)

// change works out how a partition's registration goes on from a wished ISR: who leads, who is eligible beside the ISR
// (KIP-966), whether a reassignment is complete, and what the record has to say.
type change struct {
	id         kafka.TopicIDPartition
	was        *image.Partition
	rules      rules
	acceptable func(kafka.NodeID) bool // whether a broker may lead the partition
	preferred  bool                    // the first replica shall lead where it may (ElectLeaders)
	vouched    kafka.NodeID            // the last known leader whose disk the operator vouches for; NoNode for none

	isr      []kafka.NodeID
	elr      []kafka.NodeID
	recovery staterecord.LeaderRecovery
	settling staterecord.Settling
	lost     kafka.NodeID // a replica that may lack what it acknowledged: it is eligible no more; NoNode for none
	forget   bool         // nobody is eligible beside the ISR any more

	assignment
	directory func(kafka.NodeID) kafka.DirectoryID // of the replicas from now on; nil when they stay where they are
}

// assignment is who holds a partition, in order of preference, and which of them come and go.
type assignment struct{ replicas, removing, adding []kafka.NodeID }

func newChange(topic kafka.TopicID, id int32, was *image.Partition, rules rules, acceptable func(kafka.NodeID) bool) *change {
	rules.durable = rules.durable && !was.Settling // what was committed from page caches need not be on disks yet (ADR 0036)
	return &change{
		id: kafka.TopicIDPartition{TopicID: topic, Partition: id}, was: was, rules: rules, acceptable: acceptable,
		isr: was.ISR(), elr: was.ELR(), recovery: was.Recovery, lost: kafka.NoNode, vouched: kafka.NoNode,
		assignment: assignment{replicas: was.Replicas(), removing: was.Removing(), adding: was.Adding()},
	}
}

// record returns the change, nil when nothing changes.
func (c *change) record() *staterecord.PartitionChange {
	r := staterecord.NewPartitionChange(c.id.TopicID, c.id.Partition)
	c.completeReassignment()
	c.keepEligible()
	leader := c.elect(r)
	if r.Leader == staterecord.LeaderUnchanged && !subset(c.was.Replicas(), c.replicas) {
		r.Leader = leader // a replica that left must not be believed in the old epoch
	}
	// Without eligible replicas an empty ISR is not written: its last members are who must come back.
	if (len(c.isr) > 0 || c.rules.eligible) && !slices.Equal(c.isr, c.was.ISR()) {
		r.ISR = written(c.isr)
	}
	c.noteEligible(r, leader)
	c.assign(r)
	if c.recovery != c.was.Recovery {
		r.LeaderRecovery = c.recovery
	}
	r.Settling = c.settling
	if r.IsEmpty() {
		return nil
	}
	return r
}

// written is a list as a record says it: nil would mean that nothing changes.
func written(list []kafka.NodeID) []kafka.NodeID {
	if list == nil {
		return []kafka.NodeID{}
	}
	return list
}

// completeReassignment drops the replicas to remove once the rest are all in sync: however many the rest are, each of
// them then holds what is committed.
func (c *change) completeReassignment() {
	if len(c.removing) == 0 && len(c.adding) == 0 {
		return
	}
	isr, replicas := without(c.isr, c.removing...), without(c.replicas, c.removing...)
	if len(isr) == 0 || len(replicas) == 0 || !subset(replicas, isr) && !mutant.On(mutant.ReassignedEarly) {
		return
	}
	c.isr, c.assignment = isr, assignment{replicas: replicas}
}

// assign says what changes of the assignment.
func (c *change) assign(r *staterecord.PartitionChange) {
	if !slices.Equal(c.replicas, c.was.Replicas()) {
		r.Replicas = c.replicas
	}
	if r.Replicas != nil || c.directory != nil {
		at := c.was.Directory
		if c.directory != nil {
			at = c.directory
		}
		for _, id := range c.replicas {
			r.Directories = append(r.Directories, at(id))
		}
	}
	if !slices.Equal(c.removing, c.was.Removing()) {
		r.Removing = written(c.removing)
	}
	if !slices.Equal(c.adding, c.was.Adding()) {
		r.Adding = written(c.adding)
	}
}

// subset reports whether every element of a is in b.
func subset(a, b []kafka.NodeID) bool {
	for _, id := range a {
		if !slices.Contains(b, id) {
			return false
		}
	}
	return true
}

// without returns a list of its own of what is not named.
func without[T comparable](list []T, gone ...T) []T {
	out := make([]T, 0, len(list))
	for _, id := range list {
		if !slices.Contains(gone, id) {
			out = append(out, id)
		}
	}
	return out
}
