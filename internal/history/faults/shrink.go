package faults

import (
	"slices"
	"time"
)

// Shrink returns the least list of events that still fails, as far as leaving out and shortening goes: first events are left
// out in ever smaller groups (Zeller's delta debugging), then each that is left is made as short as it may be. most bounds
// how often fails is asked, 0 for no bound. When the whole list doesn't fail it is returned as it is.
func Shrink(events []Event, fails func([]Event) bool, most int) []Event {
	s := &shrinker{fails: fails, left: most, bounded: most > 0}
	if !s.try(events) {
		return events
	}
	out := s.fewer(events)
	out = s.shorter(out)
	return s.fewer(out) // a shorter fault may need less beside it
}

type shrinker struct {
	fails   func([]Event) bool
	left    int
	bounded bool
}

func (s *shrinker) try(events []Event) bool {
	if s.bounded {
		if s.left == 0 {
			return false
		}
		s.left--
	}
	return s.fails(slices.Clone(events))
}

// fewer leaves out groups of events: a half, quarters, down to each for itself, until none can go.
func (s *shrinker) fewer(events []Event) []Event {
	if len(events) > 0 && s.try(nil) {
		return nil // it fails without any fault
	}
	for groups := 2; len(events) > 1; {
		smaller := false
		size := (len(events) + groups - 1) / groups
		for from := 0; from < len(events); {
			to := min(from+size, len(events))
			rest := slices.Concat(events[:from], events[to:])
			if len(rest) > 0 && s.try(rest) {
				events, smaller = rest, true
				continue // what follows has moved here
			}
			from = to
		}
		switch {
		case smaller:
			groups = max(2, groups-1)
		case size == 1:
			return events
		default:
			groups = min(2*groups, len(events))
		}
		groups = min(groups, max(2, len(events)))
	}
	return events
}

// least is the shortest fault that is tried.
const least = time.Millisecond

// shorter halves each event's length while the list still fails, and takes away half of its nodes.
func (s *shrinker) shorter(events []Event) []Event {
	out := slices.Clone(events)
	for i := range out {
		for out[i].For >= 2*least {
			if !s.with(out, i, func(e *Event) { e.For /= 2 }) {
				break
			}
		}
		for len(out[i].Nodes) > 1 {
			if !s.with(out, i, func(e *Event) { e.Nodes = e.Nodes[:len(e.Nodes)/2] }) {
				break
			}
		}
	}
	return out
}

// with keeps a change of one event when the list still fails.
func (s *shrinker) with(events []Event, i int, change func(*Event)) bool {
	was := events[i]
	change(&events[i])
	if s.try(events) {
		return true
	}
	events[i] = was
	return false
}

// Cut returns the moment after which nothing has to happen any more for a list to fail: a run may end soon after.
func Cut(events []Event) time.Duration {
	end := time.Duration(0)
	for _, e := range events {
		end = max(end, e.End())
	}
	return end
}
