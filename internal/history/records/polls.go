package records

import (
	"slices"

	"github.com/milena-io/milena/internal/history"
)

// reader is what is known of one process as a consumer.
type reader struct {
	subscribed bool
	last       map[int32]int32 // key: its last read
}

// polls finds readers that skip, or go back: within one operation (int-poll-skip, int-nonmonotonic-poll) and between two of
// a process (poll-skip, nonmonotonic-poll), which a group may cause by moving keys.
func (x *index) polls() {
	readers := map[int]*reader{}
	s := newScratch(len(x.keys))
	for i := range x.ops {
		o := &x.ops[i]
		p := readers[o.Process]
		if p == nil {
			p = &reader{last: map[int32]int32{}}
			readers[o.Process] = p
		}
		x.moved(p, o)
		s.begin()
		from := x.readsAt[i]
		for n := from; n < x.readsAt[i+1]; n++ {
			r := &x.reads[n]
			if x.rebalanced(o, r.key) {
				continue
			}
			if before, ok := s.get(r.key); ok {
				x.step("int-poll-skip", "int-nonmonotonic-poll", history.Always, before, n)
			} else if before, ok := p.last[r.key]; ok && o.Kind == history.Ok {
				verdict := history.Always
				if p.subscribed {
					verdict = history.Report
				}
				x.step("poll-skip", "nonmonotonic-poll", verdict, before, n)
			}
			s.set(r.key, n)
		}
		if o.Kind == history.Ok {
			for _, key := range s.touched {
				p.last[key] = s.at[key]
			}
		}
	}
}

// moved forgets the positions that an operation changes by its nature. assign() and subscribe() keep those of keys that are
// still held.
func (x *index) moved(p *reader, o *history.Op) {
	switch o.F {
	case history.DoCrash:
		p.last, p.subscribed = map[int32]int32{}, false
	case history.DoAssign, history.DoSubscribe:
		if o.Kind != history.Ok {
			break
		}
		p.subscribed = o.F == history.DoSubscribe
		for key := range p.last { // each is kept or not for itself alone
			if !slices.Contains(o.Keys, x.keys[key].key) {
				delete(p.last, key)
			}
		}
	case history.DoSeek:
		for _, k := range o.Keys {
			if key, ok := x.keyOf[k]; ok {
				delete(p.last, key)
			}
		}
	}
	for _, k := range o.Rebalanced {
		if key, ok := x.keyOf[k]; ok {
			delete(p.last, key)
		}
	}
}

func (x *index) rebalanced(o *history.Op, key int32) bool {
	return len(o.Rebalanced) > 0 && slices.Contains(o.Rebalanced, x.keys[key].key)
}

// step compares two reads of a key, one after the other.
func (x *index) step(skip, back string, verdict history.Verdict, before, after int32) {
	a, b := &x.reads[before], &x.reads[after]
	k := &x.keys[a.key]
	switch delta := b.at - a.at; {
	case delta > 1:
		if k.offs[b.at-1] < k.start {
			return // what lies between was deleted on purpose
		}
		missed := k.order[a.at+1]
		x.tally.Add(skip, verdict, x.story(x.values[missed].writer, a.op, b.op), "%s read offset %d of %v after %d and went past %d values, the first %s at offset %d",
			x.did(b.op), b.pair.Off, k.key, a.pair.Off, delta-1, x.name(missed), k.offs[a.at+1])
	case delta < 1:
		x.tally.Add(back, verdict, x.story(a.op, b.op), "%s read offset %d of %v after %d", x.did(b.op), b.pair.Off, k.key, a.pair.Off)
	}
}
