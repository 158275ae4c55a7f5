package node

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/metrics"
	"github.com/milena-io/milena/internal/staterecord"
)

// elections counts what changes of the metadata did to partitions, as this node has seen them since its start.
type elections struct {
	unclean  atomic.Uint64 // of leaders that were neither in sync nor eligible
	eligible atomic.Uint64 // of leaders from the eligible replicas (KIP-966)
	shrinks  atomic.Uint64 // of the ISR of what this node leads, by its own wish
	expands  atomic.Uint64

	mu        sync.Mutex
	failovers metrics.Failovers
}

// failover takes note of a dead broker whose leaderships this controller has moved, so long after it was suspected.
func (e *elections) failover(took time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f := &e.failovers
	f.Count, f.Last, f.Max = f.Count+1, took, max(f.Max, took)
}

// failed tells of the failovers so far.
func (e *elections) failed() metrics.Failovers {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.failovers
}

// see takes a change of one partition in.
func (e *elections) see(self kafka.NodeID, c image.PartitionChange) {
	if c.Old == nil || c.New == nil {
		return
	}
	if c.New.LeaderEpoch != c.Old.LeaderEpoch {
		switch l := c.New.Leader; {
		case c.New.Recovery == staterecord.Recovering:
			e.unclean.Add(1)
		case l != c.Old.Leader && !slices.Contains(c.Old.ISR(), l) && slices.Contains(c.Old.ELR(), l):
			e.eligible.Add(1)
		}
		return
	}
	if c.New.Leader != self {
		return
	}
	if lacks(c.New.ISR(), c.Old.ISR()) {
		e.shrinks.Add(1)
	}
	if lacks(c.Old.ISR(), c.New.ISR()) {
		e.expands.Add(1)
	}
}

// lacks reports whether a list does not have all of another.
func lacks(list, all []kafka.NodeID) bool {
	return slices.ContainsFunc(all, func(n kafka.NodeID) bool { return !slices.Contains(list, n) })
}
