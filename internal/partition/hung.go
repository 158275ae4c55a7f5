package partition

import (
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/replica"
)

// A node whose disk hangs may be the last to learn that others lead what it led: its copy of the metadata waits for the same disk. So
// from when the controller was told until the flush is over, its writers are sent to look for the new leader.

// Hang has a log directory's partitions refuse what would wait for the flush that is under way, until it is over.
func (e *Env) Hang() {
	if since, busy := e.Flusher.UnderWay(); busy {
		e.hung.Store(&since)
	}
}

// hangs reports whether the flush that hung is still under way.
func (e *Env) hangs() bool {
	hung := e.hung.Load()
	if hung == nil {
		return false
	}
	since, busy := e.Flusher.UnderWay()
	return busy && since == *hung
}

// GiveWay answers the writers that wait for a log directory that hangs, where another replica may lead: whether what they wrote counts
// says whoever leads. Where nobody waits it does nothing.
func (l Leading) GiveWay() {
	p := l.p
	p.mu.Lock()
	var calls []func()
	if p.givesWay() {
		calls = p.failWaits(p.hung())
	}
	p.mu.Unlock()
	run(calls)
}

// givesWay reports whether writers are to look for another leader. Called with the mutex held.
func (p *Partition) givesWay() bool {
	return p.at().hangs() && p.cfg.Durability == replica.Synced && len(p.reg.ISR) > 1
}

func (p *Partition) hung() error {
	return fault.New("partition", kafka.ErrNotLeaderOrFollower, "the disk of node %d hangs; another replica of %s is to lead", p.at().Self, p.name)
}
