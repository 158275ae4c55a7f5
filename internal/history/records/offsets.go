package records

import "github.com/milena-io/milena/internal/history"

// offsets finds inconsistent-offsets (one offset, two values), duplicate (one value read at two offsets) and K2 (a value
// read where its producer was not told that it is; without idempotence there may be a second one where it was told).
func (x *index) offsets() {
	for k := range x.keys {
		log := &x.keys[k]
		for i := 1; i < len(log.places); i++ {
			a, b := log.places[i-1], log.places[i]
			if a.off == b.off && a.value != b.value {
				x.tally.Add("inconsistent-offsets", history.Always, x.story(a.op, b.op), "offset %d of %v holds %s according to %s, and %s according to %s",
					a.off, log.key, x.name(a.value), x.did(a.op), x.name(b.value), x.did(b.op))
			}
		}
	}
	x.twice()
}

// twice looks at the offsets at which each value was read.
func (x *index) twice() {
	type spot struct{ first, other int32 } // reads; other is the first at another offset
	spots := make([]spot, len(x.values))
	for i := range spots {
		spots[i] = spot{none, none}
	}
	echoed := make([]bool, len(x.values)) // read where its producer was told
	for i := range x.reads {
		r := &x.reads[i]
		s := &spots[r.value]
		switch {
		case s.first == none:
			s.first = int32(i)
		case s.other == none && x.reads[s.first].pair.Off != r.pair.Off:
			s.other = int32(i)
		}
		if w := x.values[r.value].sent; w != none && x.sent[w].send.Off == r.pair.Off {
			echoed[r.value] = true
		}
	}
	for v := range x.values {
		s := spots[v]
		if s.first == none {
			continue
		}
		first := &x.reads[s.first]
		key := x.keys[first.key].key
		if s.other != none {
			other := &x.reads[s.other]
			verdict := history.Idempotent
			if min(first.pair.Off, other.pair.Off) < x.keys[first.key].trimmed {
				verdict = history.Report // a replica that began anew above it knows nothing of its producer, in Kafka, too
			}
			x.tally.Add("duplicate", verdict, x.story(x.values[v].writer, first.op, other.op), "%s is in %v at offset %d and again at %d",
				x.name(int32(v)), key, first.pair.Off, other.pair.Off)
		}
		if w := x.values[v].sent; w != none && x.sent[w].send.Off >= 0 && x.done[x.sent[w].op] && !echoed[v] {
			x.tally.Add("K2 offset-echo", history.Idempotent, x.story(x.sent[w].op, first.op), "the producer of %s was told offset %d of %v, and %s read it at %d",
				x.name(int32(v)), x.sent[w].send.Off, key, x.did(first.op), first.pair.Off)
		}
	}
}
