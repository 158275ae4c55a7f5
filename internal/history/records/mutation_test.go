package records

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/kafka"
)

// mutator breaks a history in one place.
type mutator struct {
	ops  []history.Op
	seed uint64
}

// spot is one pair that was polled.
type spot struct {
	op   int
	poll *history.Poll
	at   int
}

// spots returns the pairs of operations that are Ok, in a random order.
func (m *mutator) spots() []spot {
	var out []spot
	for i := range m.ops {
		if m.ops[i].Kind != history.Ok {
			continue
		}
		for j := range m.ops[i].Mops {
			for p := range m.ops[i].Mops[j].Poll {
				poll := &m.ops[i].Mops[j].Poll[p]
				for at := range poll.Pairs {
					out = append(out, spot{i, poll, at})
				}
			}
		}
	}
	rand.New(rand.NewPCG(m.seed, 5)).Shuffle(len(out), func(a, b int) { out[a], out[b] = out[b], out[a] })
	return out
}

// sends returns sends that pass, in a random order.
func (m *mutator) sends(pass func(o *history.Op, s *history.Send) bool) []*history.Send {
	var out []*history.Send
	for i := range m.ops {
		for j := range m.ops[i].Mops {
			if s := m.ops[i].Mops[j].Send; s != nil && pass(&m.ops[i], s) {
				out = append(out, s)
			}
		}
	}
	rand.New(rand.NewPCG(m.seed, 6)).Shuffle(len(out), func(a, b int) { out[a], out[b] = out[b], out[a] })
	return out
}

func (m *mutator) was(k history.Key, v uint64) (out []spot) {
	for _, s := range m.spots() {
		if s.poll.Key == k && s.poll.Pairs[s.at].V == v {
			out = append(out, s)
		}
	}
	return out
}

// start is the furthest log start that a history tells of.
func (m *mutator) start(k history.Key) (start kafka.Offset) {
	for i := range m.ops {
		for _, mop := range m.ops[i].Mops {
			if b := mop.Bounds; b != nil && b.Key == k {
				start = max(start, b.Earliest)
			}
		}
	}
	return start
}

func acked(o *history.Op, s *history.Send) bool { return o.Kind == history.Ok && s.Off >= 0 }

// first breaks the first pair that pass finds.
func (m *mutator) first(pass func(s spot) bool, breakIt func(s spot)) bool {
	for _, s := range m.spots() {
		if pass(s) {
			breakIt(s)
			return true
		}
	}
	return false
}

func every(spot) bool       { return true }
func inside(s spot) bool    { return s.at > 0 && s.at+1 < len(s.poll.Pairs) }
func hasSecond(s spot) bool { return s.at > 0 }

// mutations are ways to break a history, and the names of which one has to be found.
var mutations = []struct {
	name string
	want []string
	do   func(m *mutator) bool
}{
	{"a record vanishes from every poll", []string{"lost-write", "unseen"}, func(m *mutator) bool {
		for _, s := range m.sends(acked) {
			if s.Off >= m.start(s.Key) && len(m.was(s.Key, s.V)) > 0 {
				for i := range m.ops {
					for j := range m.ops[i].Mops {
						for p := range m.ops[i].Mops[j].Poll {
							poll := &m.ops[i].Mops[j].Poll[p]
							poll.Pairs = slices.DeleteFunc(slices.Clone(poll.Pairs), func(x history.Pair) bool { return poll.Key == s.Key && x.V == s.V })
						}
					}
				}
				return true
			}
		}
		return false
	}},
	{"an offset has another value for one reader", []string{"inconsistent-offsets", "duplicate", "K2 offset-echo", "K1 payload"}, func(m *mutator) bool {
		return m.first(hasSecond, func(s spot) { s.poll.Pairs[s.at].V = s.poll.Pairs[s.at-1].V })
	}},
	{"a value stands again at the end", []string{"duplicate"}, func(m *mutator) bool {
		return m.first(hasSecond, func(s spot) {
			again := s.poll.Pairs[0]
			again.Off = s.poll.Pairs[len(s.poll.Pairs)-1].Off + 100_000
			s.poll.Pairs = append(slices.Clone(s.poll.Pairs), again)
		})
	}},
	{"a producer was told no", []string{"G1a aborted-read"}, func(m *mutator) bool {
		for _, s := range m.sends(acked) {
			for i := range m.ops {
				for j := range m.ops[i].Mops {
					if m.ops[i].Mops[j].Send == s && m.ops[i].F == history.DoSend && len(m.was(s.Key, s.V)) > 0 {
						m.ops[i].Kind = history.Fail
						return true
					}
				}
			}
		}
		return false
	}},
	{"a payload is torn", []string{"K1 payload"}, func(m *mutator) bool {
		return m.first(every, func(s spot) { s.poll.Pairs[s.at].Torn = true })
	}},
	{"a header is altered", []string{"K1 payload"}, func(m *mutator) bool {
		return m.first(every, func(s spot) { s.poll.Pairs[s.at].CRC += 2 })
	}},
	{"two records change places in a poll", []string{"int-nonmonotonic-poll"}, func(m *mutator) bool {
		return m.first(hasSecond, func(s spot) {
			s.poll.Pairs = slices.Clone(s.poll.Pairs)
			s.poll.Pairs[s.at-1], s.poll.Pairs[s.at] = s.poll.Pairs[s.at], s.poll.Pairs[s.at-1]
		})
	}},
	{"a poll leaves a record out", []string{"int-poll-skip"}, func(m *mutator) bool {
		return m.first(func(s spot) bool { return inside(s) && len(m.was(s.poll.Key, s.poll.Pairs[s.at].V)) > 1 }, func(s spot) {
			s.poll.Pairs = slices.Delete(slices.Clone(s.poll.Pairs), s.at, s.at+1)
		})
	}},
	{"a poll comes again", []string{"nonmonotonic-poll", "int-nonmonotonic-poll"}, func(m *mutator) bool {
		return m.first(every, func(s spot) {
			m.ops[s.op].Mops = append(slices.Clone(m.ops[s.op].Mops), history.Mop{Poll: []history.Poll{*s.poll}})
		})
	}},
	{"a producer is told another offset", []string{"K2 offset-echo", "inconsistent-offsets"}, func(m *mutator) bool {
		for _, s := range m.sends(acked) {
			if len(m.was(s.Key, s.V)) > 0 {
				s.Off += 50_000
				return true
			}
		}
		return false
	}},
	{"the end of a log goes back", []string{"K3 list-offsets"}, func(m *mutator) bool {
		for i := len(m.ops) - 1; i >= 0; i-- {
			for _, mop := range m.ops[i].Mops {
				if b := mop.Bounds; b != nil && b.Latest > 0 && m.ops[i].Kind == history.Ok {
					b.Latest = 0
					return true
				}
			}
		}
		return false
	}},
	{"a reader is ahead of the high watermark", []string{"K8 fetch-bound"}, func(m *mutator) bool {
		return m.first(every, func(s spot) { s.poll.High, s.poll.Stable = s.poll.Pairs[s.at].Off, s.poll.Pairs[s.at].Off })
	}},
	{"a key's record is read from another", []string{"K1 payload"}, func(m *mutator) bool {
		return m.first(every, func(s spot) { s.poll.Key.Partition += 50 })
	}},
	{"two sends of a producer stand in reverse", []string{"nonmonotonic-send", "int-nonmonotonic-send"}, func(m *mutator) bool {
		last := map[[2]int]*history.Send{}
		for i := range m.ops {
			for _, mop := range m.ops[i].Mops {
				s := mop.Send
				if s == nil || !acked(&m.ops[i], s) {
					continue
				}
				lane := [2]int{m.ops[i].Process, int(s.Key.Partition)}
				if before := last[lane]; before != nil && before.Off < s.Off {
					m.swap(before, s)
					return true
				}
				last[lane] = s
			}
		}
		return false
	}},
	{"something breaks", []string{"internal-error"}, func(m *mutator) bool {
		m.ops[len(m.ops)-1].F = history.DoBreak
		return true
	}},
}

// swap puts two sends' values in each other's place in the log, for everybody.
func (m *mutator) swap(a, b *history.Send) {
	one, other := a.V, b.V
	a.Off, b.Off, a.Time, b.Time = b.Off, a.Off, b.Time, a.Time
	for i := range m.ops {
		for j := range m.ops[i].Mops {
			for p := range m.ops[i].Mops[j].Poll {
				poll := &m.ops[i].Mops[j].Poll[p]
				for n := range poll.Pairs {
					x := &poll.Pairs[n]
					switch {
					case poll.Key != a.Key:
					case x.V == one:
						x.V, x.CRC = other, sumOf(other, 0)
					case x.V == other:
						x.V, x.CRC = one, sumOf(one, 0)
					}
				}
			}
		}
	}
}

// TestBrokenHistoriesAreFound: of histories broken in one place nearly all are found out, under the right name.
func TestBrokenHistoriesAreFound(t *testing.T) {
	for _, c := range mutations {
		broken, hit := 0, 0
		for seed := range uint64(300) {
			ops, _, o := generate(seed, 300)
			if !c.do(&mutator{ops: ops, seed: seed}) {
				continue
			}
			broken++
			for _, f := range Check(ops, o).Findings {
				if slices.Contains(c.want, f.Name) {
					hit++
					break
				}
			}
		}
		t.Logf("%-45s found in %3d of %3d", c.name, hit, broken)
		if broken < 250 || hit*100 < broken*90 {
			t.Errorf("%s: only %d of %d were found", c.name, hit, broken)
		}
	}
}
