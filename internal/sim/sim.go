// Package sim runs a whole cluster from a seed: three nodes or five, or three controllers and three brokers, each the node that
// production runs, on machines, disks, clocks and a network that don't exist, all on one goroutine, while faults come as the seed
// draws them.
//
// It owns the machines and what becomes of them, the clients (producers, consumers, members of groups, an admin), the probe
// that looks into the nodes, and the three phases of a run: faults, under which nothing that was promised may be broken; then
// everything heals and has to go on within a bounded time; then fresh clients read all there is. Who judges is
// internal/history; who draws the faults is internal/history/faults. Its tests, `make sim` and the seeded bugs run it. The
// nodes know nothing of it, and it decides nothing for them.
//
// Invariants: two runs of one seed are the same event for event, whatever ran before in the process; a process runs one
// simulation at a time, since Raft draws its election timeouts from crypto/rand.Reader, which a run replaces. One node for
// itself is simulated in sim/alone, the network is sim/network.
package sim

import (
	crand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"time"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/history/faults"
)

// Options are what a run is besides its seed. The zero value is what `make sim` runs.
type Options struct {
	Faults  time.Duration   // of virtual time with faults; 0 for ten seconds
	Events  []faults.Event  // instead of those that the seed draws, unless it is nil
	Variety *faults.Variety // likewise
	Tell    func(string)    // hears every event of the trace; may be nil
}

// Report is what a run was, and what is wrong with it.
type Report struct {
	Seed     uint64
	Trace    uint64 // hash of every event and its time
	Swarm    faults.Swarm
	Events   []faults.Event
	Length   time.Duration // of the time with faults
	Reached  Reached
	Findings []history.Finding
	Last     []string // the last events before the end, or before what broke the run off
}

// Failed reports whether anything is wrong.
func (r *Report) Failed() bool { return len(r.Findings) > 0 }

// String tells the run: its seed, what it reached, and what is wrong with it.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: trace %016x, %d nodes, %v\n", r.Seed, r.Trace, r.Swarm.Nodes, &r.Reached)
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "  %v\n", f)
	}
	return b.String()
}

// defaultFaults is how long a run has faults.
const defaultFaults = 10 * time.Second

// Run simulates a seed.
func Run(seed uint64, o Options) Report {
	if o.Faults == 0 {
		o.Faults = defaultFaults
	}
	saved := crand.Reader
	defer func() { crand.Reader = saved }()
	crand.Reader = &chance{rng: rand.New(rand.NewPCG(seed, 3))}
	r := newRun(seed, o)
	r.guarded()
	return r.report()
}

// guarded runs, and takes a panic for a finding: nothing that a world does to a node may break an assertion.
func (r *run) guarded() {
	defer func() {
		switch p := recover(); p.(type) {
		case nil, enough:
		default:
			r.findings = append(r.findings, history.Finding{Name: "panic", Text: fmt.Sprintf("%v\n%s", p, frames(debug.Stack()))})
		}
		for _, f := range r.findings {
			r.note("FINDING %v", f)
		}
	}()
	r.phases()
}

// frames is the part of a stack below the panic, without what the runtime adds.
func frames(stack []byte) string {
	lines := strings.Split(string(stack), "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, "panic(") && i+2 < len(lines) {
			lines = lines[i+2:]
			break
		}
	}
	return strings.Join(lines[:min(len(lines), 24)], "\n")
}

// chance is crypto/rand.Reader from a seed.
type chance struct{ rng *rand.Rand }

// Read implements io.Reader.
func (c *chance) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(c.rng.Uint32())
	}
	return len(b), nil
}
