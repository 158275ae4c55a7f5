package records

import (
	"cmp"
	"slices"

	"github.com/milena-io/milena/internal/kafka"
)

// timeline answers how far something was known to reach before a time: moments are added in any order, then sealed.
type timeline struct{ moments []moment }

type moment struct {
	at int64
	to kafka.Offset
	op int32
}

func (t *timeline) add(at int64, to kafka.Offset, op int32) {
	t.moments = append(t.moments, moment{at, to, op})
}

// seal sorts by time; each moment then holds the furthest of all up to it.
func (t *timeline) seal() {
	slices.SortFunc(t.moments, func(a, b moment) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.op, b.op)) })
	for i := 1; i < len(t.moments); i++ {
		if before := t.moments[i-1]; before.to > t.moments[i].to {
			t.moments[i].to, t.moments[i].op = before.to, before.op
		}
	}
}

// before returns the furthest of all moments before a time.
func (t *timeline) before(at int64) (to kafka.Offset, op int32, ok bool) {
	i, _ := slices.BinarySearchFunc(t.moments, at, func(m moment, at int64) int { return cmp.Compare(m.at, at) })
	if i == 0 {
		return 0, none, false
	}
	return t.moments[i-1].to, t.moments[i-1].op, true
}
