package history

import (
	"cmp"
	"slices"
)

// Timeline answers how far something was known to have come before a time: moments are added in any order, then sealed.
type Timeline struct{ moments []moment }

type moment struct {
	at, to int64
	by     int32
}

// Add says that at a time something had come to a point; by is who knows it. What is Never known is left out.
func (t *Timeline) Add(at, to int64, by int32) {
	if at != Never {
		t.moments = append(t.moments, moment{at, to, by})
	}
}

// Seal sorts by time; each moment then holds the furthest of all up to it.
func (t *Timeline) Seal() {
	slices.SortFunc(t.moments, func(a, b moment) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.by, b.by)) })
	for i := 1; i < len(t.moments); i++ {
		if before := t.moments[i-1]; before.to > t.moments[i].to {
			t.moments[i].to, t.moments[i].by = before.to, before.by
		}
	}
}

// Before returns the furthest point of all moments before a time, and who knew it.
func (t *Timeline) Before(at int64) (to int64, by int32, ok bool) {
	i, _ := slices.BinarySearchFunc(t.moments, at, func(m moment, at int64) int { return cmp.Compare(m.at, at) })
	if i == 0 {
		return 0, -1, false
	}
	return t.moments[i-1].to, t.moments[i-1].by, true
}
