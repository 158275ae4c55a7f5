package controller

import (
	"slices"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/mutant"
	"github.com/milena-io/milena/internal/staterecord"
)

// elect chooses the leader, and returns it. The present one stays while it may lead. Else it is the first replica of the
// ISR that may; where the ISR is empty, of the eligible ones; then the last known leader, and any replica, where records may
// be lost (Kafka's PartitionChangeBuilder).
func (c *change) elect(r *staterecord.PartitionChange) kafka.NodeID {
	leader, unclean := c.cleanLeader(), false
	if leader == kafka.NoNode {
		leader = c.uncleanLeader()
		unclean = leader != kafka.NoNode
	}
	switch {
	case unclean:
		// Records may be lost here: the new leader is the only replica that agrees with itself (KIP-704).
		c.isr, c.elr, c.recovery = []kafka.NodeID{leader}, nil, staterecord.Recovering
	case leader != kafka.NoNode && !slices.Contains(c.isr, leader):
		c.isr, c.elr = []kafka.NodeID{leader}, without(c.elr, leader)
		if c.enough() {
			c.elr = nil
		}
	}
	if leader != c.was.Leader || unclean {
		r.Leader = leader
	}
	return leader
}

// cleanLeader finds a replica that has everything that is committed.
func (c *change) cleanLeader() kafka.NodeID {
	// A log of an older Kafka may name eligible replicas while the feature is off: they serve where no member of the ISR can.
	elr := c.elr
	if c.rules.eligible && len(c.isr) > 0 {
		elr = nil
	}
	for _, set := range [...][]kafka.NodeID{c.isr, elr} {
		may := func(id kafka.NodeID) bool { return slices.Contains(set, id) && c.acceptable(id) }
		if c.preferred && may(c.replicas[0]) {
			return c.replicas[0]
		}
		if c.was.Leader != kafka.NoNode && may(c.was.Leader) {
			return c.was.Leader
		}
		if i := slices.IndexFunc(c.replicas, may); i >= 0 {
			return c.replicas[i]
		}
	}
	return kafka.NoNode
}

// uncleanLeader finds a replica that may lack what is committed. The last known leader comes first: it needs no permission
// where it is the only replica, or where records are only promised to be in page caches, because there an unclean stop of all
// members is what took them from the ISR, and rarely took records (KIP-966's balanced recovery). Where they are promised to be
// on disk a member is given up only when its disk is not known to be the one it was, so that only the operator may choose it, who
// can vouch for that disk and have nobody else chosen.
func (c *change) uncleanLeader() kafka.NodeID {
	last := c.was.LastKnownELR()
	nobody := len(c.isr) == 0 && len(c.elr) == 0
	if nobody && len(last) == 1 && slices.Contains(c.replicas, last[0]) && c.acceptable(last[0]) &&
		(c.rules.unclean || !c.rules.durable || len(c.replicas) == 1 || last[0] == c.vouched) {
		return last[0]
	}
	if c.rules.unclean || mutant.On(mutant.UncleanElection) {
		if i := slices.IndexFunc(c.replicas, c.acceptable); i >= 0 {
			return c.replicas[i]
		}
	}
	return kafka.NoNode
}
