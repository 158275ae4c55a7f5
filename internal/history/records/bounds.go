package records

import (
	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/kafka"
)

// reach is what was known of one key's end over time: as ListOffsets answered it at each isolation, and as readers saw it.
type reach struct {
	latest, stable history.Timeline // answered
	any, committed history.Timeline // one past what was polled, at each isolation
	used           bool
}

// bounds finds K3, answers of ListOffsets that contradict one another or what was read before, and K7, an offset given to a
// new record although the log had been longer.
func (x *index) bounds() {
	reaches := make([]reach, len(x.keys))
	x.eachBounds(func(op int32, b *history.Bounds) {
		r := &reaches[x.keyOf[b.Key]]
		r.used = true
		if b.Latest >= 0 {
			r.latest.Add(x.ops[op].Complete, int64(b.Latest), op)
		}
		if b.Stable >= 0 {
			r.stable.Add(x.ops[op].Complete, int64(b.Stable), op)
		}
	})
	for i := range x.reads {
		r := &x.reads[i]
		if o := &x.ops[r.op]; reaches[r.key].used && o.Kind == history.Ok {
			reaches[r.key].any.Add(o.Complete, int64(r.pair.Off)+1, r.op)
			if o.Committed {
				reaches[r.key].committed.Add(o.Complete, int64(r.pair.Off)+1, r.op)
			}
		}
	}
	for i := range reaches {
		for _, t := range []*history.Timeline{&reaches[i].latest, &reaches[i].stable, &reaches[i].any, &reaches[i].committed} {
			t.Seal()
		}
	}
	x.eachBounds(func(op int32, b *history.Bounds) { x.consistent(&reaches[x.keyOf[b.Key]], op, b) })
	for i := range x.sent {
		s := &x.sent[i]
		o := &x.ops[s.op]
		if o.Kind != history.Ok || s.send.Off < 0 {
			continue
		}
		if end, by, ok := reaches[s.key].latest.Before(o.Invoke); ok && int64(s.send.Off) < end {
			x.tally.Add("K7 reuse", history.Always, x.story(by, s.op), "%s was written at offset %d of %v, and the log had reached %d before it was sent",
				x.name(s.value), s.send.Off, s.send.Key, end)
		}
	}
}

// eachBounds calls for every answer of ListOffsets.
func (x *index) eachBounds(do func(op int32, b *history.Bounds)) {
	for i := range x.ops {
		if x.ops[i].Kind != history.Ok {
			continue
		}
		for j := range x.ops[i].Mops {
			if b := x.ops[i].Mops[j].Bounds; b != nil {
				do(int32(i), b)
			}
		}
	}
}

// consistent holds one answer against itself and against what was known before it was asked.
func (x *index) consistent(r *reach, op int32, b *history.Bounds) {
	add := func(ops []int, format string, args ...any) {
		x.tally.Add("K3 list-offsets", history.Always, ops, format, args...)
	}
	if b.Earliest >= 0 && (b.Stable >= 0 && b.Earliest > b.Stable || b.Latest >= 0 && b.Earliest > b.Latest) ||
		b.Stable >= 0 && b.Latest >= 0 && b.Stable > b.Latest {
		add(x.story(op), "%v begins at %d, is stable to %d and ends at %d, according to %s", b.Key, b.Earliest, b.Stable, b.Latest, x.did(op))
	}
	at := x.ops[op].Invoke
	one := func(end kafka.Offset, answered, polled *history.Timeline, what string) {
		if end < 0 {
			return
		}
		if to, by, ok := answered.Before(at); ok && int64(end) < to {
			add(x.story(by, op), "the %s of %v went back from %d to %d", what, b.Key, to, end)
		}
		if to, by, ok := polled.Before(at); ok && int64(end) < to {
			add(x.story(by, op), "the %s of %v is %d, and offset %d had been read before", what, b.Key, end, to-1)
		}
	}
	one(b.Latest, &r.latest, &r.any, "end")
	one(b.Stable, &r.stable, &r.committed, "last stable offset")
}

// lookups finds K4: an answer to a time that is not the first record at or after it.
func (x *index) lookups() {
	known := map[int32]*times{}
	for i := range x.ops {
		for j := range x.ops[i].Mops {
			l := x.ops[i].Mops[j].Lookup
			if l == nil || x.ops[i].Kind != history.Ok {
				continue
			}
			key := x.keyOf[l.Key]
			if known[key] == nil {
				known[key] = x.times(&x.keys[key])
			}
			x.lookup(known[key], int32(i), l, &x.keys[key])
		}
	}
}

// times is the timestamp of each place of a key's log, when it was known to be there, and the greatest so far.
type times struct {
	ms, greatest []int64
	known        []int64 // at all
	read         []int64 // by a reader: what is acknowledged may not be stable yet
	by, reader   []int32
}

func (x *index) times(k *keyLog) *times {
	t := &times{}
	for i := range k.places {
		p := &k.places[i]
		o := &x.ops[p.op]
		ms, read := int64(0), int64(history.Never)
		if p.read != none {
			ms, read = x.reads[p.read].pair.Time, o.Done()
		} else {
			ms = x.sent[x.values[p.value].sent].send.Time
		}
		if n := len(t.ms); i > 0 && k.places[i-1].off == p.off {
			if o.Done() < t.known[n-1] {
				t.known[n-1], t.by[n-1] = o.Done(), p.op
			}
			if read < t.read[n-1] {
				t.read[n-1], t.reader[n-1] = read, p.op
			}
			t.ms[n-1] = max(t.ms[n-1], ms)
		} else {
			t.ms, t.known, t.read = append(t.ms, ms), append(t.known, o.Done()), append(t.read, read)
			t.by, t.reader = append(t.by, p.op), append(t.reader, p.op)
		}
	}
	t.greatest = make([]int64, len(t.ms))
	for i, ms := range t.ms {
		t.greatest[i] = ms
		if i > 0 {
			t.greatest[i] = max(ms, t.greatest[i-1])
		}
	}
	return t
}
