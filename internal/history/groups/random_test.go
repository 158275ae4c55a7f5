package groups

import (
	"flag"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/kafka"
)

var seeds = flag.Int("seeds", 10_000, "how many random histories are checked")

// model is a group whose coordinator is right: one step after the other takes effect, and each event begins before its step
// and is answered after it, so that events overlap.
type model struct {
	dice       *rand.Rand
	consumer   bool
	events     []history.GroupOp
	now        int64
	generation int32
	epoch      kafka.LeaderEpoch
	members    []string
	names      int
	owned      map[string][]history.Key
	stored     map[history.Key]uint64
	ids        uint64
	empty      int64
	keys       []history.Key
}

// event records a step that takes effect now.
func (m *model) event(f history.GroupFunction, kind history.Kind, member string, generation int32) *history.GroupOp {
	m.now += 100
	reach := int64(40) // of one member's: its own steps don't overlap
	if f == history.GroupCommit || f == history.GroupFetch {
		reach = 300
	}
	m.events = append(m.events, history.GroupOp{
		Index: len(m.events), Group: "g", Member: member, F: f, Kind: kind, Consumer: m.consumer, Generation: generation, Coordinator: kafka.NodeID(m.epoch), Epoch: m.epoch,
		Invoke: m.now - m.dice.Int64N(reach), Complete: m.now + m.dice.Int64N(reach),
	})
	return &m.events[len(m.events)-1]
}

// balance lets everybody let go, and gives all keys in a new generation.
func (m *model) balance() {
	for _, name := range m.members {
		if keys := m.owned[name]; len(keys) > 0 {
			m.event(history.GroupRevoke, history.Ok, name, m.generation).Keys = slices.Clone(keys)
		}
	}
	m.generation++
	m.owned = map[string][]history.Key{}
	for _, k := range m.keys {
		if len(m.members) > 0 {
			to := m.members[m.dice.IntN(len(m.members))]
			m.owned[to] = append(m.owned[to], k)
		}
	}
	for _, name := range m.members {
		m.event(history.GroupJoin, history.Ok, name, m.generation)
	}
	for _, name := range m.members {
		m.event(history.GroupAssign, history.Ok, name, m.generation).Keys = m.owned[name]
	}
}

func (m *model) part(f history.GroupFunction) {
	i := m.dice.IntN(len(m.members))
	name := m.members[i]
	m.members = slices.Delete(slices.Clone(m.members), i, i+1)
	m.event(f, history.Ok, name, m.generation)
	delete(m.owned, name)
	m.empty = m.now
	if f == history.GroupFenced && m.dice.IntN(2) == 0 { // a zombie goes on for a while
		m.commit(name, m.generation)
	}
	m.balance()
}

// commit is accepted from a member of the generation, and refused from others; of some the answer is lost.
func (m *model) commit(member string, generation int32) {
	k := m.keys[m.dice.IntN(len(m.keys))]
	keys := m.owned[member]
	if len(keys) > 0 {
		k = keys[m.dice.IntN(len(keys))]
	}
	m.ids++
	mark := history.Mark{Key: k, Off: kafka.Offset(m.ids), ID: m.ids}
	valid := generation == m.generation && len(keys) > 0 || member == "" && len(m.members) == 0
	switch {
	case !valid && generation == m.generation && slices.Contains(m.members, member):
		return // it owns nothing
	case !valid:
		e := m.event(history.GroupCommit, history.Fail, member, generation)
		e.Offsets, e.Code = []history.Mark{mark}, kafka.ErrIllegalGeneration
	case m.dice.IntN(8) == 0:
		if m.dice.IntN(2) == 0 {
			m.stored[k] = mark.ID
		}
		m.event(history.GroupCommit, history.Info, member, generation).Offsets = []history.Mark{mark}
	default:
		m.stored[k] = mark.ID
		m.event(history.GroupCommit, history.Ok, member, generation).Offsets = []history.Mark{mark}
		m.empty = max(m.empty, m.now)
	}
}

const retention = 5000

func (m *model) step() {
	switch n := m.dice.IntN(20); {
	case n == 0 && len(m.members) < 3:
		m.names++
		m.members = append(m.members, "m"+strconv.Itoa(m.names))
		m.balance()
	case n == 1 && len(m.members) > 0:
		m.part([]history.GroupFunction{history.GroupLeave, history.GroupFenced}[m.dice.IntN(2)])
	case n == 2:
		m.epoch++
	case n == 3 && len(m.members) == 0:
		m.now += 2 * retention
		e := m.event(history.GroupExpire, history.Ok, "", -1)
		for _, k := range m.keys {
			e.Offsets = append(e.Offsets, history.Mark{Key: k})
			m.stored[k] = 0
		}
	case n < 12 && len(m.members) > 0:
		m.commit(m.members[m.dice.IntN(len(m.members))], m.generation-int32(m.dice.IntN(4)/3))
	default:
		var marks []history.Mark
		for _, k := range m.keys {
			marks = append(marks, history.Mark{Key: k, ID: m.stored[k]})
		}
		m.event(history.GroupFetch, history.Ok, "", -1).Offsets = marks
	}
}

func generate(seed uint64) ([]history.GroupOp, Options) {
	m := &model{
		dice: rand.New(rand.NewPCG(seed, 9)), epoch: 1, owned: map[string][]history.Key{}, stored: map[history.Key]uint64{}, now: 1000,
		keys: []history.Key{p, q, {Topic: "t", Partition: 2}},
	}
	m.consumer = m.dice.IntN(2) == 0
	for range 150 {
		m.step()
	}
	m.members = append(m.members, "last")
	m.balance()
	stable := m.now
	m.now += 1000
	m.event(history.GroupFetch, history.Ok, "", -1)
	return m.events, Options{Witness: true, Stable: stable, Converge: 500, Keys: map[string][]history.Key{"g": m.keys}, Retention: retention * time.Nanosecond}
}

func TestRightGroupsAreClean(t *testing.T) {
	commits, fetches, of := 0, 0, map[history.GroupFunction]int{}
	for seed := range uint64(*seeds) {
		events, o := generate(seed)
		for i := range events {
			of[events[i].F]++
		}
		r := Check(events, o)
		commits, fetches = commits+r.Commits, fetches+r.Fetches
		if len(r.Findings) > 0 {
			t.Fatalf("seed %d: %v", seed, r.Findings[0])
		}
	}
	t.Logf("%d commits, %d fetches: %v", commits, fetches, of)
	if n := *seeds; commits < 20*n || fetches < 20*n || of[history.GroupFenced] < n || of[history.GroupExpire] < n/4 {
		t.Error("too little happened to prove anything")
	}
}

// pick returns a random event that passes; nil for none.
func pick(events []history.GroupOp, seed uint64, pass func(e *history.GroupOp) bool) *history.GroupOp {
	var of []*history.GroupOp
	for i := range events {
		if pass(&events[i]) {
			of = append(of, &events[i])
		}
	}
	if len(of) == 0 {
		return nil
	}
	return of[rand.New(rand.NewPCG(seed, 4)).IntN(len(of))]
}

func is(f history.GroupFunction, kind history.Kind) func(*history.GroupOp) bool {
	return func(e *history.GroupOp) bool { return e.F == f && e.Kind == kind }
}

// mutations break a right history in one place; want are the names of which one has to be found.
var mutations = []struct {
	name  string
	want  []string
	least int // per cent: what nobody can see doesn't count
	pass  func(e *history.GroupOp) bool
	do    func(e *history.GroupOp)
}{
	{"a fetch returns an old commit", []string{"G3 lost-commit", "K5 offset-register"}, 90,
		func(e *history.GroupOp) bool {
			return e.F == history.GroupFetch && len(e.Offsets) > 0 && e.Offsets[0].ID > 3
		},
		func(e *history.GroupOp) { e.Offsets[0].ID = 0 }},
	{"a refused commit was taken", []string{"G4 zombie-commit"}, 45, func(e *history.GroupOp) bool { return is(history.GroupCommit, history.Fail)(e) && !e.Consumer },
		func(e *history.GroupOp) { e.Kind = history.Ok }},
	{"a member is given all keys", []string{"G1 two-owners"}, 90,
		func(e *history.GroupOp) bool { return e.F == history.GroupAssign && len(e.Keys) == 1 },
		func(e *history.GroupOp) {
			e.Keys = []history.Key{p, q, {Topic: "t", Partition: 2}}
		}},
	{"a member keeps what it lost", []string{"G1 two-owners"}, 10, is(history.GroupRevoke, history.Ok), func(e *history.GroupOp) { e.Keys = nil }},
	{"a generation comes again", []string{"G2 generation"}, 70,
		func(e *history.GroupOp) bool { return e.F == history.GroupJoin && e.Generation > 2 }, func(e *history.GroupOp) { e.Generation -= 2 }},
	{"an old coordinator takes a commit", []string{"G7 two-coordinators"}, 90,
		func(e *history.GroupOp) bool { return is(history.GroupCommit, history.Ok)(e) && e.Epoch > 3 }, func(e *history.GroupOp) { e.Epoch = 1 }},
	{"offsets go while members are there", []string{"G6 expired-early"}, 90, func(e *history.GroupOp) bool {
		return e.F == history.GroupAssign && len(e.Keys) > 0 && e.Member == "last"
	},
		func(e *history.GroupOp) { // told by the fetch that is last of all
			e.F, e.Invoke, e.Complete = history.GroupExpire, e.Complete+300, e.Complete+400
		}},
	{"a fetch returns what nobody committed", []string{"K5 offset-register"}, 90,
		func(e *history.GroupOp) bool { return e.F == history.GroupFetch && len(e.Offsets) > 0 }, func(e *history.GroupOp) { e.Offsets[0].ID = 1 << 50 }},
	{"nobody gets the keys in the end", []string{"G5 convergence"}, 90, func(e *history.GroupOp) bool {
		return e.F == history.GroupAssign && e.Member == "last" && len(e.Keys) > 0
	},
		func(e *history.GroupOp) { e.Keys = nil }},
}

func TestBrokenGroupsAreFound(t *testing.T) {
	for _, c := range mutations {
		broken, hit := 0, 0
		for seed := range uint64(500) {
			events, o := generate(seed)
			e := pick(events, seed, c.pass)
			if e == nil {
				continue
			}
			c.do(e)
			broken++
			for _, f := range Check(events, o).Findings {
				if slices.Contains(c.want, f.Name) {
					hit++
					break
				}
			}
		}
		t.Logf("%-40s found in %3d of %3d", c.name, hit, broken)
		if broken < 100 || hit*100 < broken*c.least {
			t.Errorf("%s: only %d of %d were found", c.name, hit, broken)
		}
	}
}
