package controller

import (
	"slices"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/mutant"
	"github.com/milena-io/milena/internal/staterecord"
)

// Eligible leader replicas (KIP-966). While an ISR is smaller than min.insync.replicas the high watermark does not move, so
// whoever leaves it then, or left it and took it below, goes on holding everything that is committed: it may lead as well as
// a member. That ends when the ISR is large enough again. A broker that comes back from an unclean stop may have lost what was
// not on disk: by KIP-966 it is not eligible any more; where acknowledged means durable (architecture D5) it still is.

// keepEligible works out who is eligible beside the wished ISR.
func (c *change) keepEligible() {
	if !c.rules.eligible {
		return
	}
	if (c.enough() || c.forget) && !mutant.On(mutant.StaleEligible) {
		c.elr = nil
		return
	}
	var elr []kafka.NodeID
	for _, list := range [...][]kafka.NodeID{c.was.ELR(), c.was.ISR()} {
		for _, id := range list {
			if id != c.lost && !slices.Contains(c.isr, id) && !slices.Contains(elr, id) && slices.Contains(c.replicas, id) {
				elr = append(elr, id)
			}
		}
	}
	c.elr = elr
}

// enough reports whether the ISR is large enough for the high watermark to move.
func (c *change) enough() bool { return len(c.isr) >= min(c.rules.minISR, len(c.replicas)) }

// noteEligible says what changes of the eligible replicas and the last known leader.
func (c *change) noteEligible(r *staterecord.PartitionChange, leader kafka.NodeID) {
	if !c.rules.eligible && leader != kafka.NoNode {
		c.elr = nil
	}
	if !slices.Equal(c.elr, c.was.ELR()) {
		r.ELR = written(c.elr)
	}
	if last := c.lastKnown(leader); !slices.Equal(last, c.was.LastKnownELR()) {
		r.LastKnownELR = written(last)
	}
}

// lastKnown is the replica that is known to have had everything last, of a partition that nobody leads: who led when the ISR became empty,
// or else who was eligible last. One that is no replica any more is forgotten, for when it is added again it has nothing.
func (c *change) lastKnown(leader kafka.NodeID) []kafka.NodeID {
	if leader != kafka.NoNode {
		return nil
	}
	last := c.was.LastKnownELR()
	switch {
	case !c.rules.eligible || len(c.isr) > 0:
	case len(c.was.ISR()) > 0 && c.was.Leader != kafka.NoNode:
		last = []kafka.NodeID{c.was.Leader}
	case len(c.was.ISR()) == 1:
		last = c.was.ISR()
	case len(c.was.ISR())+len(c.elr)+len(last) == 0 && slices.Contains(c.was.ELR(), c.lost):
		last = []kafka.NodeID{c.lost}
	}
	if !subset(last, c.replicas) {
		return nil
	}
	return last
}
