package sim

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/node"
	"github.com/milena-io/milena/internal/sim/network"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// machine is a computer: a disk, a clock, and the process of a node while one runs.
type machine struct {
	r          *run
	id         kafka.NodeID
	fs         *disk.Mem
	faulty     *disk.Faulty // what the process sees of the disk
	clock      *clock
	acts       *image.Image   // on which the process acted last
	proc       *world.Process // nil while none runs
	node       *node.Node
	ready      bool
	stopping   bool           // it was told to stop
	lost       bool           // syncs of the process failed: what it wrote is in memory as long as the kernel keeps it, and on no disk
	oneDir     *world.Process // whose second log directory has failed
	registered int            // so many processes have served
	closes     []func()
	ills       ills
}

// ills are the faults that a machine has now, each counted, for they overlap.
type ills struct {
	dead, paused, full int
	slow               []time.Duration // how long a sync takes by each of them
	unmounted          bool            // processes start without the second log directory
	late               lateness
}

// device is a machine's disk as its process has it: with faults, and as slow as it is.
type device struct {
	*disk.Faulty
	m *machine
}

// Latency is how long a sync takes.
func (d device) Latency() (longest time.Duration) {
	for _, l := range d.m.ills.slow {
		longest = max(longest, l)
	}
	return longest
}

// clock is a machine's wall clock.
type clock struct {
	world.World
	off time.Duration
}

// Now returns the present as this machine tells it.
func (c *clock) Now() kafka.Instant {
	now := c.World.Now()
	now.WallMs += c.off.Milliseconds()
	return now
}

func newMachine(r *run, id kafka.NodeID) *machine {
	return &machine{r: r, id: id, fs: disk.NewMem(), clock: &clock{World: r.w}}
}

func (m *machine) host() string { return hostOf(m.id) }

func hostOf(id kafka.NodeID) string { return fmt.Sprintf("h%d", id) }

const (
	clients     = "9092"
	controllers = "9093"
)

// boot starts a process on the disk as it is, unless one runs.
func (m *machine) boot() {
	r := m.r
	if m.proc != nil {
		return
	}
	r.reached.add(Starts)
	r.note("node %d starts", m.id)
	m.proc, m.ready, m.stopping, m.lost = world.NewProcess(m.clock), false, false, false
	m.faulty = disk.NewFaulty(m.fs)
	m.fill()
	proc := m.proc
	n, err := node.Start(node.Options{
		World: proc, FS: device{m.faulty, m}, Values: config.Values{Scope: config.Broker, Set: r.settings(m.id)}, Logger: slog.New(&diary{r: r, who: m.host()}),
		Dialer: r.net.Dialer(m.host()), Descriptors: 10_000,
		Failed: func(err error) { m.gaveUp(proc, err) }, Follow: m.follow,
	}, func(err error) {
		switch {
		case m.proc != proc:
		case err != nil:
			m.gaveUp(proc, err)
		default:
			m.ready = true
			m.registered++
			r.note("node %d serves", m.id)
			if m.node != nil && m.node.Probe().Bereft() {
				r.remount(m.id)
			}
			r.restored(m.id)
			r.watch.serves(m)
			r.watch.ambush.at(aJoiner, m)
		}
	})
	if err != nil {
		m.gaveUp(proc, err)
		return
	}
	m.node = n
	for _, role := range m.roles() {
		m.closes = append(m.closes, r.net.Listen(m.host()+":"+role.port, func(remote netip.AddrPort, receive func([]byte)) network.Served {
			return n.Connect(wire.Peer{Listener: role.listener, Protocol: "PLAINTEXT", Addr: remote, Principal: wire.Anonymous}, receive)
		}))
	}
	if m.ills.paused > 0 {
		m.pause()
	}
}

// gaveUp is a process that cannot go on. That is right when its disk failed; it starts again a little later.
func (m *machine) gaveUp(proc *world.Process, err error) {
	if m.proc != proc {
		return
	}
	r := m.r
	r.note("node %d gives up: %v", m.id, err)
	r.reached.add(GaveUp)
	if m.oneDir == proc && !m.lost && errors.Is(err, disk.ErrIO) {
		r.broken("gave-up", "node %d gave up, and only its second log directory had failed: %v", m.id, err)
	}
	if !errors.Is(err, disk.ErrIO) && !errors.Is(err, disk.ErrNoSpace) && m.ills.full == 0 {
		r.broken("gave-up", "node %d gave up and no disk had failed: %v", m.id, err)
	}
	r.w.Go(func() { // not from within itself
		if m.proc == proc {
			m.die()
			r.w.After(200*time.Millisecond, m.revive)
		}
	})
}

// dying looks at a process for the last time.
func (m *machine) dying() {
	if m.node != nil && !m.ready && !m.stopping && m.node.Probe().Bereft() {
		m.r.remount(m.id) // it may be registered without a directory, or will be: its request may be on its way
	}
	m.r.watch.dying(m)
}

// die ends the process as kill -9 does.
func (m *machine) die() {
	if m.proc == nil {
		return
	}
	m.dying()
	m.proc.Kill()
	m.r.net.Continue(m.host())
	for _, stop := range m.closes {
		stop()
	}
	m.r.net.Kill(m.host())
	m.proc, m.node, m.ready, m.closes = nil, nil, false, nil
	if m.fs = m.fs.Killed(); m.lost && m.r.dice.IntN(2) == 0 {
		m.fs.Evict() // or the next process reads what no sync can make durable any more
	}
	m.r.watch.buried(m)
}

// end ends the process without closing what it had open.
func (m *machine) end() {
	if m.proc != nil {
		m.dying()
		m.proc.Kill()
		m.r.net.Continue(m.host())
		m.proc, m.node, m.ready, m.closes = nil, nil, false, nil
	}
}

// unplug ends the machine with whatever was not durable.
func (m *machine) unplug() {
	m.end()
	m.r.net.PowerOff(m.host())
	m.r.watch.buried(m)
	if m.r.dice.IntN(2) == 0 {
		m.fs = m.fs.PowerCut()
	} else {
		m.fs = m.fs.Crash(m.r.dice)
	}
}

// revive starts a process again when nothing keeps it dead.
func (m *machine) revive() {
	if m.ills.dead == 0 {
		m.r.net.PowerOn(m.host())
		m.boot()
	}
}

// pause has the process stand still, and resume has it go on.
func (m *machine) pause() {
	if m.proc != nil {
		m.proc.Pause()
		m.r.net.Pause(m.host())
	}
}

func (m *machine) resume() {
	if m.proc != nil && m.ills.paused == 0 {
		m.proc.Continue()
		m.r.net.Continue(m.host())
	}
}

// fill has writing fail for want of room while the disk is full.
func (m *machine) fill() {
	if m.faulty == nil {
		return
	}
	m.faulty.Heal()
	if m.ills.full > 0 {
		m.faulty.Add(disk.Fault{Op: disk.OpWrite, Err: disk.ErrNoSpace})
	}
	if m.ills.unmounted {
		m.bare()
	}
}

// state tells of the machine on one line.
func (m *machine) state() string {
	switch {
	case m.proc == nil:
		return fmt.Sprintf("node %d is down", m.id)
	case m.ills.paused > 0:
		return fmt.Sprintf("node %d stands still", m.id)
	case !m.ready:
		return fmt.Sprintf("node %d is starting", m.id)
	}
	return fmt.Sprintf("node %d serves", m.id)
}

// snapshots counts the snapshots of the metadata log on the disk, but for the one that it began with.
func (m *machine) snapshots() (n int) {
	entries, err := m.fs.List(firstDir + "/__cluster_metadata-0")
	if err != nil {
		return 0
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name, ".checkpoint") && !strings.HasPrefix(e.Name, "00000000000000000000-") {
			n++
		}
	}
	return n
}

// up reports whether every node serves.
func (r *run) up() bool {
	for _, m := range r.machines {
		if !m.ready {
			return false
		}
	}
	return true
}

func (r *run) states() (out []string) {
	for _, m := range r.machines {
		out = append(out, m.state())
	}
	return out
}

// at finds a machine; nil for an id that no node has.
func (r *run) at(id kafka.NodeID) *machine {
	if id < 1 || int(id) > len(r.machines) {
		return nil
	}
	return r.machines[id-1]
}
