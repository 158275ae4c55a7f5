package sim

import "github.com/milena-io/milena/internal/disk"

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
		m.r.reached.add(Restored)
		m.down(func() { m.replace(old) })()
	}
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
