package groups

import (
	"testing"
	"time"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/kafka"
)

var p, q = history.Key{Topic: "t"}, history.Key{Topic: "t", Partition: 1}

// story builds a history whose events follow one another.
type story struct{ events []history.GroupOp }

func (s *story) add(f history.GroupFunction, member string, generation int32, keys ...history.Key) *history.GroupOp {
	t := int64(len(s.events)+1) * 10
	s.events = append(s.events, history.GroupOp{
		Index: len(s.events), Group: "g", Member: member, F: f, Kind: history.Ok, Invoke: t, Complete: t + 5, Generation: generation, Coordinator: 1, Epoch: 3, Keys: keys,
	})
	return &s.events[len(s.events)-1]
}

func (s *story) mark(f history.GroupFunction, member string, generation int32, id uint64) *history.GroupOp {
	e := s.add(f, member, generation)
	e.Offsets = []history.Mark{{Key: p, Off: kafka.Offset(id * 10), ID: id}}
	return e
}

// seeded are minimal violations, each with the events that prove it.
var seeded = []struct {
	name    string
	ops     []int
	options Options
	tell    func(s *story)
}{
	{"G1 two-owners", []int{0, 1}, Options{}, func(s *story) {
		s.add(history.GroupAssign, "a", 1, p, q)
		s.add(history.GroupAssign, "b", 1, q)
	}},
	{"G1 two-owners", []int{0, 1}, Options{Witness: true}, func(s *story) {
		s.add(history.GroupAssign, "a", 1, p).Consumer = true
		s.add(history.GroupAssign, "b", 2, p).Consumer = true
		s.add(history.GroupRevoke, "a", 1, p)
	}},
	{"G2 generation", []int{0, 1}, Options{}, func(s *story) {
		s.add(history.GroupAssign, "a", 7)
		s.add(history.GroupJoin, "b", 6)
	}},
	{"G2 generation", []int{0, 1}, Options{}, func(s *story) {
		s.add(history.GroupAssign, "a", 7).Consumer = true
		s.add(history.GroupAssign, "a", 6).Consumer = true
	}},
	{"G2 generation", []int{0, 1}, Options{}, func(s *story) {
		s.add(history.GroupAssign, "a", 7, p)
		s.add(history.GroupAssign, "a", 7, q)
	}},
	{"G3 lost-commit", []int{0, 1, 2}, Options{}, func(s *story) {
		s.mark(history.GroupCommit, "", -1, 1)
		s.mark(history.GroupCommit, "", -1, 2)
		s.mark(history.GroupFetch, "", -1, 1)
	}},
	{"G3 lost-commit", []int{0, 1}, Options{}, func(s *story) {
		s.mark(history.GroupCommit, "", -1, 1)
		s.mark(history.GroupFetch, "", -1, 0)
	}},
	{"G3 lost-commit", []int{0, 2, 3}, Options{}, func(s *story) { // the attempt that may come late was another's
		s.mark(history.GroupCommit, "", -1, 1)
		s.mark(history.GroupCommit, "", -1, 2).Kind = history.Info
		s.mark(history.GroupCommit, "", -1, 2)
		s.mark(history.GroupFetch, "", -1, 1)
	}},
	{"K5 offset-register", []int{2, 1}, Options{}, func(s *story) { // an attempt takes effect once
		s.mark(history.GroupCommit, "", -1, 1)
		s.mark(history.GroupCommit, "", -1, 1).Kind = history.Info
		s.mark(history.GroupCommit, "", -1, 2)
		s.mark(history.GroupFetch, "", -1, 1)
		s.mark(history.GroupFetch, "", -1, 2)
		s.mark(history.GroupFetch, "", -1, 1)
	}},
	{"G4 zombie-commit", []int{1, 2}, Options{}, func(s *story) {
		s.add(history.GroupAssign, "a", 7, p)
		s.add(history.GroupAssign, "a", 8, p)
		s.mark(history.GroupCommit, "a", 7, 1)
	}},
	{"G4 zombie-commit", []int{2, 3}, Options{Witness: true}, func(s *story) {
		s.add(history.GroupAssign, "a", 7, p).Consumer = true
		s.add(history.GroupRevoke, "a", 7, p).Consumer = true
		s.add(history.GroupAssign, "b", 8, p).Consumer = true
		s.mark(history.GroupCommit, "a", 7, 1).Consumer = true
	}},
	{"G4 zombie-commit", []int{1, 2}, Options{}, func(s *story) {
		s.add(history.GroupAssign, "a", 7, p)
		s.add(history.GroupFenced, "a", 7)
		s.mark(history.GroupCommit, "a", 7, 1)
	}},
	{"G4 zombie-commit", []int{0, 1}, Options{}, func(s *story) {
		s.mark(history.GroupCommit, "a", 7, 1).Kind = history.Fail
		s.mark(history.GroupFetch, "", -1, 1)
	}},
	{"G5 convergence", nil, Options{Converge: 5, Keys: map[string][]history.Key{"g": {p, q}}}, func(s *story) {
		s.add(history.GroupAssign, "a", 7, p)
	}},
	{"G6 expired-early", []int{0, 1}, Options{Retention: time.Hour}, func(s *story) {
		s.add(history.GroupJoin, "a", 7)
		s.add(history.GroupExpire, "", -1)
	}},
	{"G6 expired-early", []int{1, 2}, Options{Retention: 20}, func(s *story) {
		s.add(history.GroupJoin, "a", 7)
		s.add(history.GroupLeave, "a", 7)
		s.add(history.GroupExpire, "", -1)
	}},
	{"G7 two-coordinators", []int{0, 1}, Options{}, func(s *story) {
		s.mark(history.GroupCommit, "", -1, 1).Epoch = 4
		s.mark(history.GroupCommit, "", -1, 2).Coordinator = 1
	}},
	{"G7 two-coordinators", []int{0, 1}, Options{}, func(s *story) {
		s.mark(history.GroupCommit, "", -1, 1)
		s.mark(history.GroupCommit, "", -1, 2).Coordinator = 2
	}},
	{"K5 offset-register", []int{0}, Options{}, func(s *story) { s.mark(history.GroupFetch, "", -1, 1) }},
	{"K5 offset-register", []int{0, 1}, Options{}, func(s *story) {
		s.mark(history.GroupFetch, "", -1, 1)
		s.mark(history.GroupCommit, "", -1, 1)
	}},
	{"K5 offset-register", []int{0, 1}, Options{}, func(s *story) { // two unknown commits, read in turns
		s.mark(history.GroupCommit, "", -1, 1).Kind = history.Info
		s.mark(history.GroupCommit, "", -1, 2).Kind = history.Info
		s.mark(history.GroupFetch, "", -1, 1)
		s.mark(history.GroupFetch, "", -1, 2)
		s.mark(history.GroupFetch, "", -1, 1)
		s.mark(history.GroupFetch, "", -1, 2)
	}},
}

func TestEachViolationIsFoundAndNamed(t *testing.T) {
	for i, c := range seeded {
		var s story
		c.tell(&s)
		if c.options.Converge > 0 {
			s.add(history.GroupFetch, "", -1).Invoke = 1000
		}
		got := Check(s.events, c.options).Findings
		if len(got) != 1 || got[0].Name != c.name || len(got[0].Ops) != len(c.ops) {
			t.Errorf("%d: want %s by %v, found %v", i, c.name, c.ops, got)
			continue
		}
		for n := range c.ops {
			if got[0].Ops[n] != c.ops[n] {
				t.Errorf("%d: want %s by %v, found %v", i, c.name, c.ops, got)
			}
		}
		t.Log(got[0])
	}
}

func TestWhatIsAllowedIsNotFound(t *testing.T) {
	o := Options{Witness: true, Retention: 20, Converge: 5, Keys: map[string][]history.Key{"g": {p}}}
	for name, tell := range map[string]func(s *story){
		"a key handed over after it was let go": func(s *story) {
			s.add(history.GroupAssign, "a", 1, p)
			s.add(history.GroupRevoke, "a", 1, p)
			s.add(history.GroupAssign, "b", 2, p)
		},
		"a key handed over from a member that was removed": func(s *story) {
			s.add(history.GroupAssign, "a", 1, p)
			s.add(history.GroupFenced, "a", 1)
			s.add(history.GroupAssign, "b", 2, p)
		},
		"a member that left without an answer": func(s *story) {
			s.add(history.GroupAssign, "a", 1, p)
			s.add(history.GroupLeave, "a", 1).Kind = history.Info
			s.add(history.GroupAssign, "b", 2, p)
		},
		"a commit while the next generation is given": func(s *story) {
			s.add(history.GroupAssign, "a", 1, p)
			s.mark(history.GroupCommit, "a", 1, 1).Complete = 99
			s.add(history.GroupAssign, "a", 2, p)
		},
		"a fetch that overlaps a commit returns either": func(s *story) {
			s.add(history.GroupAssign, "a", 1, p)
			s.mark(history.GroupCommit, "a", 1, 1)
			s.mark(history.GroupCommit, "a", 1, 2).Complete = 99
			s.mark(history.GroupFetch, "", -1, 2)
			s.mark(history.GroupCommit, "a", 1, 3).Complete = 99
			s.mark(history.GroupFetch, "", -1, 2)
		},
		"an unknown commit that takes effect late": func(s *story) {
			s.add(history.GroupAssign, "a", 1, p)
			s.mark(history.GroupCommit, "a", 1, 1).Kind = history.Info
			s.mark(history.GroupFetch, "", -1, 0)
			s.mark(history.GroupFetch, "", -1, 1)
		},
		"an earlier attempt of a commit that takes effect late": func(s *story) {
			s.add(history.GroupAssign, "a", 1, p)
			s.mark(history.GroupCommit, "a", 1, 1)
			s.mark(history.GroupCommit, "a", 1, 1).Kind = history.Info
			s.mark(history.GroupFetch, "", -1, 1)
			s.mark(history.GroupCommit, "a", 1, 2)
			s.mark(history.GroupFetch, "", -1, 2)
			s.mark(history.GroupFetch, "", -1, 1)
			s.mark(history.GroupCommit, "a", 1, 3)
			s.mark(history.GroupFetch, "", -1, 3)
		},
		"offsets of an empty group that are old": func(s *story) {
			s.mark(history.GroupCommit, "", -1, 1)
			s.add(history.GroupJoin, "a", 1)
			s.add(history.GroupLeave, "a", 1)
			s.add(history.GroupFetch, "", -1)
			s.add(history.GroupFetch, "", -1)
			s.mark(history.GroupExpire, "", -1, 0)
			s.mark(history.GroupFetch, "", -1, 0)
			s.add(history.GroupJoin, "b", 2)
			s.add(history.GroupAssign, "b", 2, p)
		},
		"a member removed that joined again": func(s *story) {
			s.add(history.GroupAssign, "a", 1, p)
			s.add(history.GroupFenced, "a", 1)
			s.add(history.GroupJoin, "a", 2)
			s.add(history.GroupAssign, "a", 2, p)
			s.mark(history.GroupCommit, "a", 2, 1)
		},
	} {
		var s story
		tell(&s)
		s.add(history.GroupFetch, "", -1).Invoke = 1000
		for _, f := range Check(s.events, o).Findings {
			t.Errorf("%s: %v", name, f)
		}
	}
}
