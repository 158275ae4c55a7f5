package sim

import (
	"slices"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/history/faults"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/sim/network"
)

// unleash puts the faults of the plan into the world: each begins, and ends by itself.
func (r *run) unleash() {
	for _, e := range r.plan.Events {
		r.w.After(e.At, func() {
			if r.phase != faulty {
				return
			}
			r.note("fault: %v", e)
			r.reached.Faults[e.Kind]++
			end := r.strike(e)
			r.w.After(e.For, func() {
				r.note("over: %v", e)
				end()
			})
		})
	}
}

// strike begins a fault and returns its end.
func (r *run) strike(e faults.Event) (end func()) {
	if e.Kind == faults.Roll {
		return r.roll(e.Nodes)
	}
	var ends []func()
	for _, id := range e.Nodes {
		if m := r.at(id); m != nil {
			ends = append(ends, m.suffer(e))
		}
	}
	return func() {
		for _, f := range ends {
			f()
		}
	}
}

// suffer has a machine have its part of a fault.
func (m *machine) suffer(e faults.Event) (end func()) {
	switch e.Kind {
	case faults.Crash:
		return m.down(m.die)
	case faults.PowerCut, faults.AllPower:
		return m.down(m.unplug)
	case faults.Restart:
		return m.restart()
	case faults.Pause:
		m.ills.paused++
		m.pause()
		return func() { m.ills.paused--; m.resume() }
	case faults.CutOneWay:
		return m.cut(e.Others, false)
	case faults.CutBoth:
		return m.cut(e.Others, true)
	case faults.Isolate:
		return m.cut(m.others(e.Nodes), true)
	case faults.Slow:
		return m.delay(network.Delay{Least: e.Delay, Most: e.Delay + e.Delay/4})
	case faults.Lossy: // TCP sends again, after a while
		d := network.LAN()
		d.Tail, d.TailOneIn = 200*time.Millisecond, max(2, int(1/e.Share))
		return m.delay(d)
	case faults.SlowDisk:
		m.ills.slow = append(m.ills.slow, e.Delay)
		return func() {
			i := slices.Index(m.ills.slow, e.Delay)
			m.ills.slow = slices.Delete(m.ills.slow, i, i+1)
		}
	case faults.SyncFails:
		return m.failSyncs()
	case faults.DirFails:
		return m.failDir()
	case faults.FullDisk:
		m.ills.full++
		m.fill()
		return func() { m.ills.full--; m.fill() }
	case faults.Wipe:
		return m.down(func() { m.replace(disk.NewMem()) })
	case faults.Restore:
		return m.restore()
	case faults.ClockJump:
		m.clock.off += e.Delay
		return func() { m.clock.off -= e.Delay }
	}
	return func() {}
}

// down kills the process by some means and starts another at the end.
func (m *machine) down(how func()) (end func()) {
	m.ills.dead++
	m.r.reached.add(Kills)
	how()
	return func() { m.ills.dead--; m.revive() }
}

// restart stops the process cleanly, if it has the time.
func (m *machine) restart() (end func()) {
	m.ills.dead++
	if proc := m.proc; proc != nil && m.ready {
		m.ready, m.stopping = false, true
		m.r.note("node %d stops", m.id)
		m.node.Stop(func(err error) {
			m.r.note("node %d has stopped: %v", m.id, err)
			m.r.w.Go(func() {
				if m.proc == proc {
					m.r.reached.add(Stops)
					m.die()
					m.revive()
				}
			})
		})
	}
	return func() {
		m.ills.dead--
		if m.proc == nil {
			m.revive()
		}
	}
}

// others are the nodes that are not named.
func (m *machine) others(named []kafka.NodeID) (out []kafka.NodeID) {
	in := map[kafka.NodeID]bool{}
	for _, id := range named {
		in[id] = true
	}
	for _, o := range m.r.machines {
		if !in[o.id] {
			out = append(out, o.id)
		}
	}
	return out
}

// cut cuts what this machine sends to others, and what they send, too.
func (m *machine) cut(others []kafka.NodeID, both bool) (end func()) {
	var ends []func()
	for _, id := range others {
		o := hostOf(id)
		ends = append(ends, m.r.severed(m.host(), o))
		if both {
			ends = append(ends, m.r.severed(o, m.host()))
		}
	}
	return func() {
		for _, f := range ends {
			f()
		}
	}
}

// severed cuts one direction until the end is called, and everybody else's who cut it, too.
func (r *run) severed(from, to string) (end func()) {
	k := [2]string{from, to}
	r.cuts[k]++
	r.net.Cut(from, to)
	return func() {
		if r.cuts[k]--; r.cuts[k] == 0 {
			r.net.Heal(from, to)
		}
	}
}

// delay has what this machine sends to the others take longer.
func (m *machine) delay(d network.Delay) (end func()) {
	set := func(d network.Delay) {
		for _, o := range m.r.machines {
			if o != m {
				m.r.net.Delay(m.host(), o.host(), d)
			}
		}
	}
	set(d)
	return func() { set(network.LAN()) }
}

// heal ends what is left of the faults: all have ended by their plan, but nodes may still be down that had given up.
func (r *run) heal() {
	r.phase = healing
	r.note("all faults are over")
	for _, m := range r.machines {
		r.reached.Of[Snapshots] += m.snapshots()
		if m.proc == nil {
			m.revive()
		}
	}
}
