package partition

import (
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/replica"
)

// A node whose disk hangs may be the last to learn that others lead what it led: its copy of the metadata waits for the same disk. So
// from when the controller is known to have been told, and exactly while that flush is under way, its writers are sent to look for the new
// leader.

// Hang has a log directory's partitions send writers away while the flush is under way that is now; where none is it does nothing. The
// end of the flush calls it off, and nobody else has to.
func (e *Env) Hang() {
	if since, busy := e.Flusher.UnderWay(); busy {
		e.hung.Store(&since)
	}
}

// hangs reports whether the flush that Hang was called during is still under way; its beginning tells it from any later one.
func (e *Env) hangs() bool {
	hung := e.hung.Load()
	if hung == nil {
		return false
	}
	since, busy := e.Flusher.UnderWay()
	return busy && since == *hung
}

// GiveWay answers the writers that wait for a log directory whose flush hangs, where another replica may lead: whether what they wrote
// counts says whoever leads. Where nobody waits, that flush is over, or the partition is busy, perhaps with a write that hangs, too, it does
// nothing: it is called again for as long as that lasts.
func (l Leading) GiveWay() {
	p := l.p
	if !p.mu.TryLock() {
		return
	}
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
