package records

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/milena-io/milena/internal/history"
)

// cycles finds operations that each come before the other.
//
//	G0           writes of transactions interleave: Kafka allows it, and it is counted
//	G1c          each read what the other wrote: a transaction read what was not committed
//	G1c-ww       the same with the order of writes: allowed as G0 is
//	G1c-realtime what was read comes from an operation that began after the reader was done, through others: a stale
//	             transaction became visible
func (x *index) cycles() {
	report := func(name string, v history.Verdict) func([]int32) {
		return func(nodes []int32) { x.cycle(name, v, nodes) }
	}
	n := len(x.ops)
	newGraph(n, x.writes).cycles(ww, report("G0", history.Report))
	plain := map[int32]bool{} // in a cycle of reads alone
	newGraph(n, x.wasRead).cycles(wr, func(nodes []int32) {
		for _, o := range nodes {
			plain[o] = true
		}
		x.cycle("G1c", history.Committed, nodes)
	})
	newGraph(n, both(x.writes, x.wasRead)).cycles(wr, func(nodes []int32) {
		if !slices.ContainsFunc(nodes, func(o int32) bool { return !plain[o] }) {
			return // a cycle without writes, told already
		}
		x.cycle("G1c-ww", history.Report, nodes)
	})
	byEnd := x.byEnd()
	newGraph(n+len(byEnd), both(x.time(byEnd), x.wasRead)).cycles(wr, func(nodes []int32) {
		if !slices.ContainsFunc(nodes, func(o int32) bool { return int(o) >= n }) {
			return // a cycle without time
		}
		x.cycle("G1c-realtime", history.Committed, slices.DeleteFunc(nodes, func(o int32) bool { return int(o) >= n }))
	})
}

// writes are edges of transactions only: sends outside one are not meant to be together.
func (x *index) writes(do func(from, to int32, why dependency)) {
	for k := range x.keys {
		before := int32(none)
		for at, v := range x.keys[k].order {
			w := x.values[v].writer
			if int32(at) != x.values[v].first {
				continue // a duplicate
			}
			if w == none || !x.done[w] || x.ops[w].F != history.DoTxn {
				before = none
				continue
			}
			if before != none && before != w {
				do(before, w, ww)
			}
			before = w
		}
	}
}

// wasRead leads from who sent a value to who read it.
func (x *index) wasRead(do func(from, to int32, why dependency)) {
	from, to := int32(none), int32(none)
	for i := range x.reads {
		r := &x.reads[i]
		w := x.values[r.value].writer
		if w == none || w == r.op || x.ops[r.op].Kind != history.Ok || from == w && to == r.op {
			continue
		}
		from, to = w, r.op
		do(from, to, wr)
	}
}

// byEnd returns the operations that are Ok in the order of their completions.
func (x *index) byEnd() []int32 {
	out := make([]int32, 0, len(x.ops))
	for i := range x.ops {
		if x.ops[i].Kind == history.Ok {
			out = append(out, int32(i))
		}
	}
	slices.SortFunc(out, func(a, b int32) int {
		return cmp.Or(cmp.Compare(x.ops[a].Complete, x.ops[b].Complete), cmp.Compare(a, b))
	})
	return out
}

// time orders operations by time with few edges: each completion is a node in a chain of moments, an operation leads to the
// moment of its completion, and the last moment before an operation began leads to it. Nodes of moments come after those
// of operations.
func (x *index) time(byEnd []int32) edges {
	n := int32(len(x.ops))
	return func(do func(from, to int32, why dependency)) {
		for i, o := range byEnd {
			do(o, n+int32(i), rt)
			if i > 0 {
				do(n+int32(i)-1, n+int32(i), rt)
			}
		}
		for i := range x.ops {
			at, _ := slices.BinarySearchFunc(byEnd, x.ops[i].Invoke, func(o int32, t int64) int { return cmp.Compare(x.ops[o].Complete, t) })
			if at > 0 {
				do(n+int32(at)-1, int32(i), rt)
			}
		}
	}
}

// cycle tells one cycle.
func (x *index) cycle(name string, v history.Verdict, nodes []int32) {
	var parts []string
	for i, o := range nodes {
		parts = append(parts, fmt.Sprintf("%s of process %d is before %s", x.ops[o].F, x.ops[o].Process, x.tie(o, nodes[(i+1)%len(nodes)])))
	}
	x.tally.Add(name, v, x.story(nodes...), "%s", strings.Join(parts, ", "))
}

// tie tells why one operation comes before the next.
func (x *index) tie(a, b int32) string {
	for _, r := range x.polled(b) {
		if x.values[r.value].writer == a {
			return fmt.Sprintf("the next, which read its %s at offset %d of %v", x.name(r.value), r.pair.Off, x.keys[r.key].key)
		}
	}
	for _, s := range x.sends(a) {
		k := &x.keys[s.key]
		if at := x.values[s.value].first; at != none && int(at)+1 < len(k.order) && x.values[k.order[at+1]].writer == b {
			return fmt.Sprintf("the next, whose %s follows its %s in %v", x.name(k.order[at+1]), x.name(s.value), k.key)
		}
	}
	return "the next, which began when it was done"
}
