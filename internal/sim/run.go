package sim

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/history/faults"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/sim/network"
	"github.com/milena-io/milena/internal/world"
)

// run is a simulation under way.
type run struct {
	o        Options
	plan     faults.Plan
	w        *world.Virtual
	net      *network.Network
	dice     *rand.Rand // of faults and clients; the nodes draw from the world
	machines []*machine
	brokers  []*machine // of these, those that clients talk to
	crowd    crowd
	watch    watch
	record   *history.Recorder
	trace    trace
	reached  Reached
	findings []history.Finding
	phase    phase
	cuts     map[[2]string]int // how many faults cut a direction now
}

// phase is how far a run is.
type phase uint8

const (
	faulty  phase = iota // faults come
	healing              // no more of them, and everything has to go on
	reading              // fresh clients read what there is
)

func newRun(seed uint64, o Options) *run {
	swarm := faults.Draw(seed)
	if o.Variety != nil {
		swarm.Variety = *o.Variety
	}
	r := &run{o: o, w: world.NewVirtual(seed), dice: rand.New(rand.NewPCG(seed, 5)), cuts: map[[2]string]int{}}
	r.plan = faults.Make(fit(swarm), o.Faults)
	if o.Events != nil {
		r.plan = r.plan.With(o.Events)
	}
	r.trace = trace{now: func() time.Duration { return r.w.Now().Mono }, tell: o.Tell}
	r.net = network.New(r.w, seed, network.LAN())
	r.record = history.NewRecorder(func() int64 { return int64(r.w.Now().Mono) }, nil)
	for i := range r.plan.Swarm.Nodes {
		m := newMachine(r, kafka.NodeID(i+1))
		r.machines = append(r.machines, m)
		if m.serves() {
			r.brokers = append(r.brokers, m)
		}
	}
	if r.apart() {
		r.reached.add(Apart)
	}
	return r
}

// fit makes a swarm one that this cluster can be: a quorum has three voters or five, and page-cache durability promises nothing
// after power cuts.
func fit(s faults.Swarm) faults.Swarm {
	switch {
	case s.Variety.Apart:
		s.Nodes = 2 * voters
	case s.Seed%8 == 0:
		s.Nodes = 5
	default:
		s.Nodes = voters
	}
	s.Partitions = (s.Partitions + 1) / 2 // each costs nearly as much as another run, and shows little that the first ones don't
	if s.Cached {
		s.Weights[faults.Crash] += s.Weights[faults.PowerCut] + s.Weights[faults.AllPower]
		// A process that is killed is eligible no more (ADR 0020), so that what is left may be one disk alone.
		s.Without(faults.PowerCut, faults.AllPower, faults.SyncFails, faults.DirFails, faults.Wipe, faults.Restore)
	}
	if !s.Variety.Apart || s.Variety.Configs && s.Replicas > 1 {
		s.Without(faults.Wipe, faults.Restore) // a voter has to be replaced by hand, and what one disk has may be all there is
	}
	if !s.Variety.Dirs {
		s.Without(faults.DirFails)
	}
	return s
}

// voters is how many controllers there are in a small cluster.
const voters = 3

// apart reports whether the first nodes are controllers, and the others brokers.
func (r *run) apart() bool { return r.plan.Swarm.Variety.Apart }

// phases is a run from its beginning to its end.
func (r *run) phases() {
	for _, m := range r.machines {
		m.boot()
	}
	if !r.w.RunUntil(patience, r.up) {
		r.broken("formation", "the nodes are not all up within %v: %v", patience, r.states())
	}
	r.watch.begin(r)
	r.crowd.gather(r)
	if !r.w.RunUntil(patience, r.crowd.begun) {
		r.broken("formation", "the topic is not there, or not written to, within %v", patience)
	}
	r.crowd.operate()
	r.repair()
	r.trim()
	r.tune()
	r.seat()
	r.unmount()
	r.late()
	r.unleash()
	r.w.RunUntil(r.plan.Heal, r.noticing(never))
	r.heal()
	r.converge()
	r.read()
}

// broken adds a finding of the simulator's own, and breaks the run off: what follows on it proves nothing.
func (r *run) broken(name, format string, args ...any) {
	r.findings = append(r.findings, history.Finding{Name: name, Verdict: history.Always, Text: fmt.Sprintf(format, args...)})
	panic(enough{})
}

// enough ends a run of which enough is known.
type enough struct{}

func (r *run) note(format string, args ...any) { r.trace.note(fmt.Sprintf(format, args...)) }

// report judges what was recorded.
func (r *run) report() Report {
	r.judge()
	r.reached.Runs = 1
	return Report{
		Seed: r.plan.Swarm.Seed, Trace: r.trace.sum(), Swarm: r.plan.Swarm, Events: r.plan.Events, Length: r.plan.Heal, Reached: r.reached,
		Findings: r.findings, Last: r.trace.last(),
	}
}
