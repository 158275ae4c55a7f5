package replicas

import (
	"flag"
	"slices"
	"testing"

	"github.com/milena-io/milena/internal/kafka"
)

var seeds = flag.Int("seeds", 500, "how many random clusters are watched")

// step is one random thing that happens.
func (m *model) step() {
	r := m.nodes[m.dice.IntN(nodes)]
	switch m.dice.IntN(16) {
	case 0, 1, 2:
		if r.up && r.leads {
			m.crc++
			r.log = append(slices.Clone(r.log), Batch{Base: r.end(), Last: r.end(), Epoch: r.view.LeaderEpoch, CRC: m.crc})
		}
	case 3, 4:
		if r.up {
			r.durable = r.end()
			m.advance(r)
		}
	case 5, 6, 7, 8, 9:
		if r.up {
			m.fetch(r)
		}
	case 10, 11:
		if r.up {
			m.learn(r)
			m.advance(r)
		}
	case 12:
		if r.up && r.leads {
			m.alter(r)
		}
	case 13:
		if m.dice.IntN(6) == 0 {
			m.crash(r)
		}
	case 14:
		if !r.up {
			m.restart(r)
		}
	case 15:
		if !r.up && !m.brokers[r.id].Fenced && m.dice.IntN(3) == 0 {
			m.fence(r.id)
		}
	}
}

// alter asks for one follower to leave or to join, against what the leader knows.
func (m *model) alter(r *replicaNode) {
	n := m.nodes[m.dice.IntN(nodes)].id
	if n == r.id {
		return
	}
	isr := slices.Clone(r.view.ISR)
	if slices.Contains(isr, n) {
		if m.dice.IntN(3) > 0 {
			return
		}
		isr = slices.DeleteFunc(isr, func(x kafka.NodeID) bool { return x == n })
	} else {
		p := r.told[n]
		ready := p.durable >= max(r.high, r.start)
		if m.broken == "who joins has not reached the epoch's start" {
			ready = p.durable >= r.high
		}
		if m.broken == "anybody joins" {
			ready = true
		}
		if !ready || m.brokers[n].Fenced || !m.node(n).up {
			return
		}
		isr = append(isr, n)
		if !slices.Contains(r.pending, n) && m.broken != "who is about to join doesn't count" {
			r.pending = append(r.pending, n)
		}
	}
	a := Alteration{From: r.id, LeaderEpoch: r.view.LeaderEpoch, PartitionEpoch: r.view.PartitionEpoch}
	for _, x := range isr {
		a.ISR = append(a.ISR, Member{x, m.brokers[x].Epoch, m.brokers[x].Epoch})
	}
	a.Accepted = a.PartitionEpoch == m.reg.PartitionEpoch && a.LeaderEpoch == m.reg.LeaderEpoch || m.broken == "a stale AlterPartition is taken"
	if a.Accepted {
		m.setISR(isr)
	}
	m.state.Alterations = append(m.state.Alterations, a)
}

// crash loses memory; the disk keeps what is durable, and some of what comes behind.
func (m *model) crash(r *replicaNode) {
	if !r.up {
		return
	}
	kept := r.durable + kafka.Offset(m.dice.IntN(int(r.end()-r.durable)+1))
	r.log = slices.Clone(r.log[:kept])
	r.up, r.order, r.told, r.pending = false, nil, map[kafka.NodeID]progress{}, nil
	if m.broken != "a new process leads on in its epoch" {
		r.leads, r.view = false, Registration{Leader: kafka.NoNode, LeaderEpoch: -1}
	}
}

func (m *model) restart(r *replicaNode) {
	r.up = true
	r.incarnation++
	r.durable, r.high = r.end(), min(r.high, r.end())
	m.register(r)
}

// look is the state as a simulator would show it.
func (m *model) look() State {
	s := m.state
	m.state = State{}
	s.Index, s.MinISR, s.Registered = m.index, minISR, m.reg
	m.index++
	for _, r := range m.nodes {
		x := Replica{
			Node: r.id, Incarnation: kafka.IncarnationID{r.incarnation, byte(r.id)}, Up: r.up, Leads: r.leads, Epoch: r.view.LeaderEpoch,
			EpochStart: r.start, End: r.end(), Durable: r.durable, High: r.high, Visible: -1, ISR: m.maximal(r),
		}
		for x.Changed < r.end() && x.Changed < kafka.Offset(len(r.shown)) && r.log[x.Changed] == r.shown[x.Changed] {
			x.Changed++
		}
		r.shown = slices.Clone(r.log)
		x.Batches = r.shown[x.Changed:]
		if r.leads && r.high >= r.start {
			x.Visible = r.high
		}
		s.Replicas = append(s.Replicas, x)
		s.Brokers = append(s.Brokers, *m.brokers[r.id])
	}
	return s
}

// run watches a cluster for some steps, or until something is found; it returns the names of what was.
func run(seed uint64, broken string, steps int) (m *model, found []string, first string) {
	m = newModel(seed, broken)
	w := NewWatch(1)
	for range steps {
		m.step()
		if m.dice.IntN(4) == 0 { // a watch is shown only some moments
			continue
		}
		for _, f := range w.Check(m.look()) {
			if found == nil {
				first = f.String()
			}
			found = append(found, f.Name)
		}
		if found != nil {
			break
		}
	}
	return m, found, first
}

// TestRightClustersRaiseNothing: whatever happens to a cluster that keeps the rules, no invariant is said to be broken.
func TestRightClustersRaiseNothing(t *testing.T) {
	acks, leaders, cuts := 0, 0, 0
	for seed := range uint64(*seeds) {
		m, found, first := run(seed, "", 600)
		acks, leaders, cuts = acks+m.acks, leaders+m.leaders, cuts+m.cuts
		if len(found) > 0 {
			t.Fatalf("seed %d: %v", seed, first)
		}
	}
	t.Logf("%d acknowledgements, %d elections, %d truncations", acks, leaders, cuts)
	if n := *seeds; acks < 5*n || leaders < n || cuts < n/2 {
		t.Error("too little happened to prove anything")
	}
}

// TestBrokenRulesAreFound: each rule that is broken is found out in some of the seeds; how many is the score.
func TestBrokenRulesAreFound(t *testing.T) {
	for _, rule := range []string{
		"acknowledged before it is durable", "a member is ignored", "the high watermark ignores min.insync.replicas", "the high watermark goes back",
		"followers cut to their high watermark", "a new process leads on in its epoch", "a late order cuts", "anybody is elected",
		"who joins has not reached the epoch's start", "anybody joins", "who is about to join doesn't count", "a stale AlterPartition is taken",
	} {
		hits, tried, names, tell := 0, 0, map[string]int{}, ""
		const tries = 400
		for seed := range uint64(tries) {
			_, found, first := run(seed, rule, 600)
			if tried++; len(found) > 0 {
				hits++
				names[found[0]]++
				tell = first
			}
			if hits == 50 {
				break
			}
		}
		t.Logf("%-50s found in %3d of %3d seeds, first as %v", rule, hits, tried, names)
		t.Logf("    such as: %s", tell)
		if hits == 0 {
			t.Errorf("nobody noticed: %s", rule)
		}
	}
}
