package replica

import (
	"container/heap"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
)

// The model walks three machines and a linearizable controller through ten virtual seconds of messages that are delayed, lost
// and overtaken, links that are cut, processes that are killed and power that fails; then everything heals, and records have
// to be acknowledged again. What must hold is asked by name (model_check_test.go). A mutant is one historic mistake, made
// around the machine or in it, and has to be found: without one the model could not find anything.
type model struct {
	rng     *rand.Rand
	now     time.Duration
	seq     uint64
	events  events
	nodes   [4]*modelNode // 1 to 3
	ctl     modelController
	cut     [4][4]bool // from, to; 0 is the controller
	calm    bool       // nothing is lost or late any more
	late    int        // one message of so many is late
	lateBy  time.Duration
	harm    time.Duration // between two of the nemesis' deeds, at most
	mutant  mistake
	checks  checks
	reached reached
}

// reached counts what a walk came to.
type reached struct{ elections, truncations, isrChanges, acks, powerCuts, wiped int }

type mistake string

// The mutants: mistakes of Apache Kafka's history and of reliability.md 4.3.
const (
	correct           mistake = ""
	truncateToHigh    mistake = "a new follower truncates to its high watermark (before KIP-101)"
	resumeEpoch       mistake = "a restarted leader resumes its epoch (D6)"
	lateTruncation    mistake = "a truncation is obeyed that was asked for from elsewhere (R10)"
	noFencing         mistake = "fetches and answers of other epochs count (KIP-320)"
	earlyExpansion    mistake = "the ISR expands before the start of the leader's epoch (R8)"
	ignoredMember     mistake = "the high watermark ignores a member (R6)"
	ackBeforeFsync    mistake = "acknowledged before the flush (D5)"
	forgottenWish     mistake = "a wish without a certain outcome is forgotten (R6)"
	anyBrokerEpoch    mistake = "the ISR takes a process that restarted since (KIP-903)"
	frozenHighIgnored mistake = "the high watermark moves below min.insync.replicas (KIP-966)"
)

type event struct {
	at  time.Duration
	seq uint64
	run func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].seq < e[j].seq
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

func (m *model) after(d time.Duration, run func()) {
	m.seq++
	heap.Push(&m.events, event{m.now + d, m.seq, run})
}

// between draws a time.
func (m *model) between(a, b time.Duration) time.Duration {
	return a + time.Duration(m.rng.Int64N(int64(b-a)))
}

func (m *model) instant() kafka.Instant {
	return kafka.Instant{Mono: m.now, WallMs: m.now.Milliseconds()}
}

// send has something happen elsewhere, if the message comes.
func (m *model) send(from, to int, run func()) {
	delay := m.between(100*time.Microsecond, time.Millisecond)
	if !m.calm {
		if m.cut[from][to] || m.rng.IntN(100) == 0 {
			return
		}
		if m.rng.IntN(m.late) == 0 {
			delay = m.between(0, m.lateBy)
		}
	}
	m.after(delay, run)
}

const (
	modelTime = 10 * time.Second
	healTime  = 4 * time.Second
	modelLag  = 200 * time.Millisecond
	modelMin  = 2 // min.insync.replicas
)

// walk runs a seed and returns what it violated first, and what it came to.
func walk(seed uint64, mut mistake) (violated string, r reached) {
	m := &model{rng: rand.New(rand.NewPCG(seed, 11)), mutant: mut}
	m.late, m.lateBy, m.harm = 50, 200*time.Millisecond, 220*time.Millisecond
	if seed%3 == 2 { // a third of the seeds has a worse network, and more harm
		m.late, m.lateBy, m.harm = 6, 600*time.Millisecond, 90*time.Millisecond
	}
	m.checks.begin()
	m.ctl.begin()
	for id := 1; id <= 3; id++ {
		m.nodes[id] = &modelNode{m: m, id: id}
		m.nodes[id].start()
	}
	m.every(5*time.Millisecond, 15*time.Millisecond, m.produce)
	m.every(50*time.Millisecond, 60*time.Millisecond, m.ctl.tickOf(m))
	m.after(200*time.Millisecond, m.nemesis)
	m.run(modelTime)
	m.heal()
	m.run(healTime / 2)
	before := m.reached.acks
	m.run(healTime / 2)
	if m.checks.bad == "" && m.reached.acks == before {
		m.checks.fail("liveness", "nothing was acknowledged for %v after everything healed: %s", healTime/2, m)
	}
	if m.checks.bad == "" {
		m.checks.final(m)
	}
	return m.checks.bad, m.reached
}

// every repeats something, at uneven times.
func (m *model) every(a, b time.Duration, f func()) {
	m.after(m.between(a, b), func() { f(); m.every(a, b, f) })
}

func (m *model) run(d time.Duration) {
	end := m.now + d
	for len(m.events) > 0 && m.events[0].at <= end && m.checks.bad == "" {
		e := heap.Pop(&m.events).(event)
		m.now = e.at
		e.run()
	}
	m.now = end
}

// produce has a client write a record to whoever believes to lead.
func (m *model) produce() {
	n := m.nodes[1+m.rng.IntN(3)]
	if n.up && n.rep.Leads() && n.rep.EnoughInSync() {
		n.write()
	}
}

// nemesis does one harm after another.
func (m *model) nemesis() {
	if m.calm {
		return
	}
	m.after(m.between(20*time.Millisecond, m.harm), m.nemesis)
	n := m.nodes[1+m.rng.IntN(3)]
	switch m.rng.IntN(9) {
	case 8:
		n.wipe()
	case 0, 1:
		n.crash(false)
	case 2:
		n.crash(true)
	case 3:
		m.cut[m.rng.IntN(4)][n.id] = true
	case 4:
		other := m.rng.IntN(4)
		m.cut[other][n.id], m.cut[n.id][other] = true, true
	case 5:
		if m.rng.IntN(4) == 0 {
			for _, n := range m.nodes[1:] {
				n.crash(true)
			}
		}
	default:
		m.cut = [4][4]bool{}
	}
}

func (m *model) heal() {
	m.calm, m.cut = true, [4][4]bool{}
}

func (m *model) String() string {
	out := fmt.Sprintf("controller: leader %d epoch %d partition epoch %d ISR %v ELR %v", m.ctl.reg.Leader, m.ctl.reg.LeaderEpoch, m.ctl.reg.PartitionEpoch, m.ctl.reg.ISR, m.ctl.elr)
	for _, n := range m.nodes[1:] {
		out += fmt.Sprintf("; node %d up %v", n.id, n.up)
		if n.up {
			w, wish := n.rep.Leading().Wish()
			out += fmt.Sprintf(" broker epoch %d end %d durable %d high %d leads %v %v wish %v %v followers %+v", n.broker, n.rep.end, n.rep.durable, n.rep.high, n.rep.Leads(), n.rep.reg, wish, w, n.rep.followers)
		}
	}
	return out
}

func TestTheModel(t *testing.T) {
	seeds := max(90, *hunt)
	var all reached
	for seed := range seeds {
		violated, r := walk(seed, correct)
		if violated != "" {
			t.Fatalf("seed %d: %s", seed, violated)
		}
		all.elections += r.elections
		all.truncations += r.truncations
		all.isrChanges += r.isrChanges
		all.acks += r.acks
		all.powerCuts += r.powerCuts
		all.wiped += r.wiped
	}
	t.Logf("%d seeds: %+v", seeds, all)
	if all.elections == 0 || all.truncations == 0 || all.isrChanges == 0 || all.acks == 0 || all.powerCuts == 0 || all.wiped == 0 {
		t.Fatalf("the model did not come to what it is there for: %+v", all)
	}
}

// kept are seeds that found each mutant when the model was changed last, and the checkers that may say so. A change of the
// model or of the machine walks other ways: then -hunt finds new ones.
var kept = []struct {
	mutant   mistake
	seeds    []uint64
	checkers []string
}{
	{truncateToHigh, []uint64{0, 1}, []string{"R1", "R2", "R7"}},
	{resumeEpoch, []uint64{0, 1}, []string{"R4"}},
	{lateTruncation, []uint64{1, 6}, []string{"R10", "R6"}},
	{noFencing, []uint64{2, 8}, []string{"R11"}},
	{earlyExpansion, []uint64{1, 4}, []string{"R7"}},
	{ignoredMember, []uint64{0, 1}, []string{"R6", "R7"}},
	{ackBeforeFsync, []uint64{0, 1}, []string{"R6", "R7"}},
	{forgottenWish, []uint64{38, 138}, []string{"R6", "R7"}},
	{anyBrokerEpoch, []uint64{27, 66}, []string{"R7"}},
	{frozenHighIgnored, []uint64{0, 1}, []string{"R6"}},
}

var hunt = flag.Uint64("hunt", 0, "walk so many seeds with each mutant and tell how many find it")

// TestMutants: every mistake is found, by the checker that is there for it.
func TestMutants(t *testing.T) {
	for _, k := range kept {
		for _, seed := range k.seeds {
			violated, _ := walk(seed, k.mutant)
			checker, _, _ := strings.Cut(violated, ":")
			if !slices.Contains(k.checkers, checker) {
				t.Errorf("%s: seed %d found %q, and should have been found by one of %v", k.mutant, seed, violated, k.checkers)
			}
		}
		if *hunt == 0 {
			continue
		}
		found := map[string]int{}
		var seeds []uint64
		for seed := range *hunt {
			if violated, _ := walk(seed, k.mutant); violated != "" {
				checker, _, _ := strings.Cut(violated, ":")
				found[checker]++
				seeds = append(seeds, seed)
			}
		}
		t.Logf("%s: %d of %d seeds, by %v, %v first", k.mutant, len(seeds), *hunt, found, seeds[:min(5, len(seeds))])
	}
}

// The same seed walks the same way.
func TestTheModelRepeats(t *testing.T) {
	_, a := walk(7, correct)
	if _, b := walk(7, correct); a != b {
		t.Fatalf("%+v, and then %+v", a, b)
	}
}
