package history

import (
	"cmp"
	"math"
	"slices"
)

// Access is one write or read of a register: a committed offset, a topic's configuration, anything with one value at a time.
// Each write has an ID of its own; a read has that of the write that it returned, 0 for the value at the beginning.
type Access struct {
	ID       uint64
	Write    bool
	Kind     Kind
	Invoke   int64
	Complete int64
	Op       int // the index of the operation or event
}

// zone is the time of one value of a register: from the first moment at which an access of it was done to the last at which one
// began. When the first is before the last the value held all that time (forward); otherwise it held at some moment between.
type zone struct {
	first, last int64
	op          int // -1 for the value at the beginning
}

// Linearizable reports whether accesses are in some order those of a register, an order that agrees with their times; if not,
// two operations whose values contradict one another. A write whose outcome is unknown may have happened at any time after
// it began, or never.
//
// With a write of its own for each value that is so exactly when no read is of a value that nobody wrote or wrote later, no two
// values held at one time, and none came and went while another held (Gibbons and Korach, Testing Shared Memories, 1997):
// n log n, where the general case takes a search.
func Linearizable(accesses []Access) (proof []int, ok bool) {
	zones, proof, ok := zonesOf(accesses)
	if !ok {
		return proof, false
	}
	var forward, backward []zone
	for _, z := range zones {
		if z.first < z.last {
			forward = append(forward, z)
		} else {
			backward = append(backward, z)
		}
	}
	slices.SortFunc(forward, func(a, b zone) int { return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.last, b.last)) })
	for i := 1; i < len(forward); i++ {
		if forward[i].first < forward[i-1].last {
			return contradiction(forward[i-1], forward[i]), false
		}
	}
	for _, b := range backward {
		at, _ := slices.BinarySearchFunc(forward, b.last, func(z zone, t int64) int { return cmp.Compare(z.first, t) })
		if at > 0 && b.first < forward[at-1].last {
			return contradiction(forward[at-1], b), false
		}
	}
	return nil, true
}

// contradiction names the writes of two values; the value at the beginning has none.
func contradiction(a, b zone) []int {
	return slices.DeleteFunc([]int{a.op, b.op}, func(op int) bool { return op < 0 })
}

// zonesOf returns a zone for each value that was read, or whose write was Ok.
func zonesOf(accesses []Access) (out []zone, proof []int, ok bool) {
	index := map[uint64]int{0: 0}
	out = []zone{{first: math.MinInt64, last: math.MinInt64, op: -1}}
	invoked := []int64{math.MinInt64}
	for _, a := range accesses {
		if !a.Write || a.Kind == Fail {
			continue
		}
		done := a.Complete
		if a.Kind != Ok {
			done = Never
		}
		index[a.ID] = len(out)
		out, invoked = append(out, zone{first: done, last: a.Invoke, op: a.Op}), append(invoked, a.Invoke)
	}
	for _, a := range accesses {
		if a.Write || a.Kind != Ok {
			continue
		}
		i, known := index[a.ID]
		if !known || a.Complete < invoked[i] {
			return nil, []int{a.Op}, false
		}
		out[i].first, out[i].last = min(out[i].first, a.Complete), max(out[i].last, a.Invoke)
	}
	return slices.DeleteFunc(out, func(z zone) bool { return z.first == Never }), nil, true
}
