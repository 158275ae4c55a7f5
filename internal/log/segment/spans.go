package segment

import (
	"slices"
	"sort"
	"sync"
)

// spans are the byte ranges of a file that were read and checked since this process started, merged and ascending.
type spans struct {
	mu   sync.Mutex
	list []span
}

type span struct{ from, to int64 }

// covers reports whether every byte of [from, to) was checked.
func (s *spans) covers(from, to int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := sort.Search(len(s.list), func(i int) bool { return s.list[i].to >= to })
	return from >= to || i < len(s.list) && s.list[i].from <= from
}

// add notes [from, to) as checked.
func (s *spans) add(from, to int64) {
	if from >= to {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	lo := sort.Search(len(s.list), func(i int) bool { return s.list[i].to >= from })
	hi := sort.Search(len(s.list), func(i int) bool { return s.list[i].from > to })
	if lo < hi {
		from, to = min(from, s.list[lo].from), max(to, s.list[hi-1].to)
	}
	s.list = slices.Replace(s.list, lo, hi, span{from, to})
}

// cut forgets everything at or after pos.
func (s *spans) cut(pos int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	keep := sort.Search(len(s.list), func(i int) bool { return s.list[i].from >= pos })
	s.list = s.list[:keep]
	if keep > 0 {
		s.list[keep-1].to = min(s.list[keep-1].to, pos)
	}
}
