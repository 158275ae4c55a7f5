package coordinator

import (
	"slices"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group/classic"
)

// held are replies that wait for the high watermark, by the offset it must reach.
type held struct {
	queue []heldReply
	armed bool // a look for overdue ones is coming
}

type heldReply struct {
	classic.Reply
	after kafka.Offset
	since time.Duration
}

// add holds a reply and reports whether somebody must look for overdue ones from now on.
func (h *held) add(r heldReply) (arm bool) {
	i := len(h.queue)
	for i > 0 && h.queue[i-1].after > r.after {
		i--
	}
	h.queue = slices.Insert(h.queue, i, r)
	arm = !h.armed
	h.armed = true
	return arm
}

// has reports whether a request's reply is held.
func (h *held) has(t classic.Token) bool {
	return slices.ContainsFunc(h.queue, func(r heldReply) bool { return r.Token == t })
}

// take takes out the replies that need no more than the high watermark.
func (h *held) take(high kafka.Offset) []heldReply {
	n := 0
	for n < len(h.queue) && h.queue[n].after <= high {
		n++
	}
	out := slices.Clone(h.queue[:n])
	h.queue = slices.Delete(h.queue, 0, n)
	return out
}

// overdue takes out the replies that were held at or before a moment, and returns the moment of the oldest that is
// left, or zero.
func (h *held) overdue(before time.Duration) (late []heldReply, next time.Duration) {
	h.queue = slices.DeleteFunc(h.queue, func(r heldReply) bool {
		if r.since <= before {
			late = append(late, r)
			return true
		}
		if next == 0 || r.since < next {
			next = r.since
		}
		return false
	})
	h.armed = next > 0
	return late, next
}

func sortedTokens[V any](m map[classic.Token]V) []classic.Token {
	ts := make([]classic.Token, 0, len(m))
	for t := range m {
		ts = append(ts, t)
	}
	slices.Sort(ts)
	return ts
}
