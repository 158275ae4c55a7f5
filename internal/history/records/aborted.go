package records

import "github.com/milena-io/milena/internal/history"

// aborted finds G1a, an aborted read: somebody saw a value whose send failed; and precommitted-read: a transaction saw a value
// of its own before it was committed.
func (x *index) aborted() {
	for i := range x.reads {
		r := &x.reads[i]
		v := &x.values[r.value]
		o := &x.ops[r.op]
		if v.writer == none {
			continue
		}
		w := &x.ops[v.writer]
		if v.writer == r.op {
			if w.F == history.DoTxn && o.Committed {
				x.tally.Add("precommitted-read", history.Committed, x.story(r.op), "%s read %s in %v, which the same transaction was still sending",
					x.did(r.op), x.name(r.value), x.keys[r.key].key)
			}
			continue
		}
		if o.Kind != history.Ok || w.Kind != history.Fail {
			continue
		}
		switch {
		case w.F != history.DoTxn:
			x.tally.Add("G1a aborted-read", history.Always, x.story(v.writer, r.op), "%s read %s at offset %d of %v, and its producer was told that it was refused",
				x.did(r.op), x.name(r.value), r.pair.Off, x.keys[r.key].key)
		case o.Committed:
			x.tally.Add("G1a aborted-read", history.Committed, x.story(v.writer, r.op), "%s read %s at offset %d of %v, and its transaction was aborted",
				x.did(r.op), x.name(r.value), r.pair.Off, x.keys[r.key].key)
		}
	}
}

// partial finds G1b: a reader stopped between two records that one transaction wrote to a key, although the later one was
// there before the reader began. Kafka does not promise that a poll returns whole transactions; it is counted.
func (x *index) partial() {
	final := x.finals()
	s := newScratch(len(x.keys))
	for i := range x.ops {
		if x.ops[i].Kind != history.Ok {
			continue
		}
		reads := x.polled(int32(i))
		s.begin()
		for n := range reads {
			s.set(reads[n].key, int32(n))
		}
		for _, key := range s.touched {
			r := &reads[s.at[key]]
			v := &x.values[r.value]
			if v.writer == none || v.writer == int32(i) {
				continue
			}
			if f := final[v.sent]; f != r.value && x.values[f].seen < x.ops[i].Invoke {
				x.tally.Add("G1b intermediate-read", history.Report, x.story(v.writer, int32(i)), "%s ended at %s in %v, and %s of the same transaction was already there",
					x.did(int32(i)), x.name(r.value), x.keys[key].key, x.name(f))
			}
		}
	}
}

// finals returns for each send the last value that its transaction wrote to the same key; a send outside a transaction is its
// own.
func (x *index) finals() []int32 {
	final := make([]int32, len(x.sent))
	s := newScratch(len(x.keys))
	for i := range x.ops {
		sends := x.sends(int32(i))
		s.begin()
		for n := range sends {
			final[int(x.sentAt[i])+n] = sends[n].value
			if x.ops[i].F != history.DoTxn {
				continue
			}
			if at, ok := s.get(sends[n].key); !ok || x.values[sends[n].value].last > x.values[sends[at].value].last {
				s.set(sends[n].key, int32(n))
			}
		}
		for n := range sends {
			if at, ok := s.get(sends[n].key); ok {
				final[int(x.sentAt[i])+n] = sends[at].value
			}
		}
	}
	return final
}

// scratch is a number for each key that is forgotten at each begin, at no cost.
type scratch struct {
	at      []int32
	stamp   []int32
	round   int32
	touched []int32 // keys, in the order of their first set
}

func newScratch(keys int) *scratch {
	return &scratch{at: make([]int32, keys), stamp: make([]int32, keys)}
}

func (s *scratch) begin() {
	s.round++
	s.touched = s.touched[:0]
}

func (s *scratch) set(key, to int32) {
	if s.stamp[key] != s.round {
		s.stamp[key] = s.round
		s.touched = append(s.touched, key)
	}
	s.at[key] = to
}

func (s *scratch) get(key int32) (int32, bool) { return s.at[key], s.stamp[key] == s.round }
