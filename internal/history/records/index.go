package records

import (
	"cmp"
	"slices"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/kafka"
)

// none stands for no operation, value or place.
const none = -1

// index is a history with everything that is derived from it once: dense numbers for keys and values, reads and sends in the
// order of operations, and each key's log as clients know it.
type index struct {
	ops     []history.Op
	options Options
	tally   *history.Tally
	keys    []keyLog
	keyOf   map[history.Key]int32
	values  []value
	reads   []read
	sent    []sent
	readsAt []int32 // reads[readsAt[i]:readsAt[i+1]] are operation i's
	sentAt  []int32
	done    []bool // committed(op): it is Ok, or Info and somebody who is Ok read a value of it
}

// keyLog is what is known of one partition's log.
type keyLog struct {
	key     history.Key
	byV     map[uint64]int32
	places  []place        // by offset
	order   []int32        // the log without holes: one value for each known offset
	offs    []kafka.Offset // of order
	start   kafka.Offset   // the furthest log start that was reported: records before it may be gone
	trimmed kafka.Offset   // likewise, of a topic that is still there
}

// place says that a value was seen at an offset, by a read or in the answer to its send.
type place struct {
	off   kafka.Offset
	value int32
	op    int32
	read  int32 // in index.reads; none for a send's answer
}

// value is one record as the history knows it.
type value struct {
	v           uint64
	key         int32
	writer      int32 // the operation that sent it; none for a value that was only read
	sent        int32 // in index.sent
	readOk      int32 // an operation that is Ok and read it, the first
	readAny     int32 // any operation that read it
	first, last int32 // its least and greatest index in the log; none while it has none
	seen        int64 // when the first reader was done; Never without one
}

// read is one pair that was polled; send one record sent.
type read struct {
	op, key, value int32
	at             int32 // its offset's index in the log
	pair           *history.Pair
	poll           *history.Poll
}

type sent struct {
	op, key, value int32
	send           *history.Send
}

func newIndex(ops []history.Op, o Options) *index {
	x := &index{ops: ops, options: o, tally: history.NewTally(o.Limit), keyOf: map[history.Key]int32{}, done: make([]bool, len(ops))}
	x.gather()
	x.settle()
	x.place()
	return x
}

// gather numbers keys and values, and lists sends and reads.
func (x *index) gather() {
	reads, sends := 0, 0
	for i := range x.ops {
		for j := range x.ops[i].Mops {
			m := &x.ops[i].Mops[j]
			if m.Send != nil {
				sends++
			}
			for p := range m.Poll {
				reads += len(m.Poll[p].Pairs)
			}
		}
	}
	x.reads, x.sent = make([]read, 0, reads), make([]sent, 0, sends)
	x.readsAt, x.sentAt = make([]int32, len(x.ops)+1), make([]int32, len(x.ops)+1)
	x.values = make([]value, 0, sends)
	for i := range x.ops {
		for j := range x.ops[i].Mops {
			m := &x.ops[i].Mops[j]
			if m.Send != nil {
				x.send(int32(i), m.Send)
			}
			for p := range m.Poll {
				x.poll(int32(i), &m.Poll[p])
			}
			if b := m.Bounds; b != nil && x.ops[i].Kind == history.Ok {
				k := &x.keys[x.keyed(b.Key)]
				k.start = max(k.start, b.Earliest)
				if b.Earliest != history.Never {
					k.trimmed = max(k.trimmed, b.Earliest)
				}
			}
			if l := m.Lookup; l != nil {
				x.keyed(l.Key)
			}
		}
		for _, k := range x.ops[i].Keys {
			x.keyed(k)
		}
		x.readsAt[i+1], x.sentAt[i+1] = int32(len(x.reads)), int32(len(x.sent))
	}
}

func (x *index) keyed(k history.Key) int32 {
	n, ok := x.keyOf[k]
	if !ok {
		n = int32(len(x.keys))
		x.keyOf[k] = n
		x.keys = append(x.keys, keyLog{key: k, byV: map[uint64]int32{}})
	}
	return n
}

func (x *index) valued(key int32, v uint64) int32 {
	n, ok := x.keys[key].byV[v]
	if !ok {
		n = int32(len(x.values))
		x.keys[key].byV[v] = n
		x.values = append(x.values, value{
			v: v, key: key, writer: none, sent: none, readOk: none, readAny: none, first: none, last: none, seen: history.Never,
		})
	}
	return n
}

func (x *index) send(op int32, s *history.Send) {
	key := x.keyed(s.Key)
	n := x.valued(key, s.V)
	v := &x.values[n]
	if v.writer != none {
		x.tally.Add("malformed-history", history.Always, []int{x.ops[v.writer].Index, x.ops[op].Index}, "%s was sent by two operations", x.name(n))
		return
	}
	v.writer, v.sent = op, int32(len(x.sent))
	x.sent = append(x.sent, sent{op: op, key: key, value: n, send: s})
}

func (x *index) poll(op int32, p *history.Poll) {
	key := x.keyed(p.Key)
	o := &x.ops[op]
	for i := range p.Pairs {
		n := x.valued(key, p.Pairs[i].V)
		v := &x.values[n]
		if v.readAny == none {
			v.readAny = op
		}
		if o.Kind == history.Ok && v.readOk == none {
			v.readOk = op
		}
		v.seen = min(v.seen, o.Done())
		x.reads = append(x.reads, read{op: op, key: key, value: n, at: none, pair: &p.Pairs[i], poll: p})
	}
}

// settle decides which operations are committed.
func (x *index) settle() {
	for i := range x.ops {
		switch x.ops[i].Kind {
		case history.Ok:
			x.done[i] = true
		case history.Info, history.Invoke:
			for _, s := range x.sends(int32(i)) {
				if x.values[s.value].readOk != none {
					x.done[i] = true
				}
			}
		}
	}
}

// place builds each key's log: from all polls of any kind, for a consumer must only ever see what is safe, and from the
// answers to sends that are committed.
func (x *index) place() {
	sizes := make([]int, len(x.keys))
	for i := range x.reads {
		sizes[x.reads[i].key]++
	}
	for i := range x.sent {
		sizes[x.sent[i].key]++
	}
	for k := range x.keys {
		x.keys[k].places = make([]place, 0, sizes[k])
	}
	for i := range x.reads {
		r := &x.reads[i]
		k := &x.keys[r.key]
		k.places = append(k.places, place{off: r.pair.Off, value: r.value, op: r.op, read: int32(i)})
	}
	for i := range x.sent {
		s := &x.sent[i]
		if s.send.Off >= 0 && x.done[s.op] {
			k := &x.keys[s.key]
			k.places = append(k.places, place{off: s.send.Off, value: s.value, op: s.op, read: none})
		}
	}
	for k := range x.keys {
		x.number(&x.keys[k])
	}
}

// number sorts a key's places and gives each known offset its index.
func (x *index) number(k *keyLog) {
	slices.SortFunc(k.places, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.off, b.off), cmp.Compare(a.value, b.value), cmp.Compare(a.op, b.op), cmp.Compare(a.read, b.read))
	})
	for i := range k.places {
		p := &k.places[i]
		if len(k.offs) == 0 || k.offs[len(k.offs)-1] != p.off {
			k.offs = append(k.offs, p.off)
			k.order = append(k.order, p.value)
		}
		at := int32(len(k.offs) - 1)
		if v := &x.values[p.value]; v.first == none {
			v.first, v.last = at, at
		} else {
			v.last = at
		}
		if p.read != none {
			x.reads[p.read].at = at
		}
	}
}

func (x *index) sends(op int32) []sent  { return x.sent[x.sentAt[op]:x.sentAt[op+1]] }
func (x *index) polled(op int32) []read { return x.reads[x.readsAt[op]:x.readsAt[op+1]] }

// story is the proof of a finding: operations by their index in the history, none left out.
func (x *index) story(ops ...int32) []int {
	var out []int
	for _, o := range ops {
		if o != none && !slices.Contains(out, x.ops[o].Index) {
			out = append(out, x.ops[o].Index)
		}
	}
	return out
}
