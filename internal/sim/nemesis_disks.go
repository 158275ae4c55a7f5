package sim

import (
	"slices"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
)

// replace ends the machine and gives it another disk.
func (m *machine) replace(fs *disk.Mem) {
	m.end()
	m.r.net.PowerOff(m.host())
	m.fs = fs
	m.r.watch.replaced(m)
}

// restore has the process start anew, and later once more on the disk as it was before: a backup of a node that has registered
// since. A backup of the process that registered last is another matter: nothing tells it from that process's own disk.
func (m *machine) restore() (end func()) {
	old := m.fs.Copy().Killed()
	begun := m.registered
	after := m.down(m.die)
	m.r.w.After(0, after)
	return func() {
		if m.registered < begun+1 || m.ills.dead > 0 {
			m.r.note("node %d has not registered since the backup", m.id)
			return
		}
		back := func() {
			m.r.reached.add(Restored)
			m.down(func() { m.replace(old) })()
			m.r.backup(m.id)
		}
		if m.r.plan.Swarm.Seed%2 == 0 {
			m.whenEligible(back)
			return
		}
		back()
	}
}

// whenEligible has a broker's process end while it is one of two in sync, so that what was acknowledged makes it eligible (KIP-966): a third
// one dies, and what is to be done comes as soon as that is known to be out of sync.
func (m *machine) whenEligible(do func()) {
	r := m.r
	others := slices.DeleteFunc(slices.Clone(r.brokers), func(o *machine) bool { return o == m })
	third := others[int(r.plan.Swarm.Seed/2)%len(others)]
	end := third.down(third.die)
	until := r.w.Now().Mono + 3*time.Second
	var look func()
	look = func() {
		switch {
		case r.phase == faulty && !r.watch.pair(m.id, third.id) && r.w.Now().Mono < until:
			r.w.After(5*time.Millisecond, look)
			return
		case r.phase == faulty:
			do()
		}
		r.w.After(200*time.Millisecond, end)
	}
	look()
}

// pair reports whether a node is one of two that are in sync with some partition, and another one of its replicas is not.
func (w *watch) pair(in, out kafka.NodeID) bool {
	w.learn()
	for t := range w.newest.Topics() {
		for _, p := range t.Partitions() {
			if isr := p.ISR(); len(isr) == 2 && slices.Contains(isr, in) && !slices.Contains(isr, out) && slices.Contains(p.Replicas(), out) {
				return true
			}
		}
	}
	return false
}

// failSyncs has every sync fail. Most processes give up by that; one that has lost nothing but its second log directory starts anew at the
// end, which it takes to have it back.
func (m *machine) failSyncs() (end func()) {
	proc := m.proc
	if m.faulty != nil {
		m.lost = true
		m.faulty.Add(disk.Fault{Op: disk.OpSync, Err: disk.ErrIO})
	}
	return func() {
		m.fill()
		if m.proc == proc && m.node != nil && m.node.Probe().Bereft() {
			m.r.reached.add(DirBack)
			m.down(m.die)()
		}
	}
}

// failDir has every sync in the second log directory fail, which takes that offline and nothing else. At the end the process starts
// anew, which it takes to have the directory back.
func (m *machine) failDir() (end func()) {
	proc := m.proc
	if proc == nil || m.ills.full > 0 {
		return func() {}
	}
	m.oneDir = proc
	m.faulty.Add(disk.Fault{Op: disk.OpSync, Path: secondDir, Err: disk.ErrIO})
	return func() {
		if m.proc != proc {
			return
		}
		m.fill()
		m.r.reached.add(DirBack)
		m.lost = true
		m.down(m.die)()
	}
}
