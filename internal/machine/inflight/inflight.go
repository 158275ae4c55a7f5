// Package inflight is one client connection as a pure machine (architecture D7): which request may begin, in which
// order answers leave, and when the connection is to be closed.
//
// listen calls it, one machine a connection, under the session's lock. It never does IO, never looks at bytes and knows no
// clock; time is an argument.
//
// Invariants: answers leave in the order in which their requests were admitted. Requests that are under way together are all
// of one overlapping class; a Barrier is under way alone. Bytes under way exceed the limit by one request at most.
// After the answer that closes, nothing leaves. What was taken is given back: an idle machine has no bytes.
package inflight

import (
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
)

// Class says which requests may be under way together: those that follow each other and are of the same class.
type Class uint8

// The classes.
const (
	Barrier      Class = iota // alone
	Produce                   // appended in order of arrival, waiting together
	ReplicaFetch              // a follower reports its durable offset while its long poll is parked (D7)
)

// Limits bound one connection.
type Limits struct {
	Requests       int   // under way together
	ReplicaFetches int   // of class ReplicaFetch under way together
	Bytes          int64 // of requests under way
	Output         int64 // of answers not yet written
}

// Arrival is a request that wants to begin.
type Arrival struct {
	Class   Class
	Bytes   int64
	NoReply bool // acks=0: it keeps its place for effects, but no answer waits behind it
	Login   bool // allowed before the connection has authenticated
	// Share is what the node can spare for this connection now: beyond its first request, and its first answer that is
	// not written, it holds no more of each. Zero leaves that to the limits.
	Share int64
}

// within returns a limit, or the share if that is less.
func (a *Arrival) within(limit int64) int64 {
	if a.Share > 0 {
		return min(limit, a.Share)
	}
	return limit
}

// Verdict says whether a request may begin, and why not.
type Verdict uint8

// The verdicts. All but Admitted and Refused end by themselves.
const (
	Admitted Verdict = iota
	Waits            // for those before it: a barrier is under way, or it is one
	Full             // too many requests or bytes are under way, or memory is short
	Unread           // the client doesn't read its answers
	Muted            // it exceeded a quota (KIP-219)
	Closing          // nothing begins any more
	Refused          // it is not allowed before authentication
)

// ID names a request that was admitted.
type ID uint64

// Answer is what a handler said.
type Answer struct {
	Bytes    int64         // of memory until it is written
	None     bool          // nothing is written
	Close    bool          // this is the last answer
	Throttle time.Duration // no request begins for so long
}

type slot[T any] struct {
	item     T
	arrival  Arrival
	answer   Answer
	answered bool
	left     bool // its answer was handed out, or needs none
}

// Connection is the machine. T is what the caller wants back when an answer's turn has come.
type Connection[T any] struct {
	limits Limits
	login  bool // not yet authenticated

	slots  []slot[T] // in order of admission; slots[0] has the id head
	room   []slot[T] // their array from its start, of length 0
	head   ID
	open   int   // admitted and not answered
	bytes  int64 // of those
	output int64 // of answers given and not written

	mutedUntil time.Duration
	draining   bool
	closing    bool // an answer closes the connection
	closeAt    ID   // which
}

// New starts a connection. With login it admits only what is allowed before authentication, one request at a time,
// until Authenticated is called.
func New[T any](limits Limits, login bool) *Connection[T] {
	return &Connection[T]{limits: limits, login: login}
}

// Authenticated lifts the restrictions of login.
func (c *Connection[T]) Authenticated() { c.login = false }

// LoggingIn reports whether the connection has not authenticated yet.
func (c *Connection[T]) LoggingIn() bool { return c.login }

// Check says what would become of a request that arrives now.
func (c *Connection[T]) Check(now kafka.Instant, a Arrival) Verdict {
	switch {
	case c.draining || c.closing:
		return Closing
	case c.login && !a.Login:
		return Refused
	case now.Mono < c.mutedUntil:
		return Muted
	case c.output > 0 && c.output >= a.within(c.limits.Output):
		return Unread
	case c.open == 0:
		return Admitted
	case a.Class == Barrier || c.login || c.last().Class != a.Class:
		return Waits
	case c.open >= c.limits.Requests || c.bytes+a.Bytes > a.within(c.limits.Bytes):
		return Full
	case a.Class == ReplicaFetch && c.open >= c.limits.ReplicaFetches:
		return Full
	}
	return Admitted
}

// last is the newest request under way. All of those have one class, so any would do.
func (c *Connection[T]) last() *Arrival {
	for i := len(c.slots) - 1; i >= 0; i-- {
		if !c.slots[i].answered {
			return &c.slots[i].arrival
		}
	}
	return &Arrival{}
}

// Admit begins a request if Check allows it.
func (c *Connection[T]) Admit(now kafka.Instant, a Arrival, item T) (ID, Verdict) {
	if v := c.Check(now, a); v != Admitted {
		return 0, v
	}
	if len(c.slots) == cap(c.slots) {
		c.makeRoom()
	}
	c.slots = append(c.slots, slot[T]{item: item, arrival: a, left: a.NoReply})
	c.open++
	c.bytes += a.Bytes
	return c.head + ID(len(c.slots)-1), Admitted
}

// makeRoom moves the slots to the front of their array, where the oldest ones have left; a connection that is never idle
// would otherwise move on to a new one for ever.
func (c *Connection[T]) makeRoom() {
	if n := len(c.slots); 2*n < cap(c.room) {
		all := c.room[:cap(c.room)]
		copy(all, c.slots)
		clear(all[n:])
		c.slots = all[:n]
		return
	}
	c.slots = append(make([]slot[T], 0, max(2*len(c.slots), 4)), c.slots...)
	c.room = c.slots[:0]
}

// Answer records the answer of a request, once.
func (c *Connection[T]) Answer(now kafka.Instant, id ID, a Answer) {
	if id < c.head || id-c.head >= ID(len(c.slots)) { // the arguments of must.Hold would be allocated each time
		must.Hold(false, "an answer to request %d, which is not under way", id)
	}
	s := &c.slots[id-c.head]
	if s.answered {
		must.Hold(false, "request %d is answered twice", id)
	}
	if s.arrival.NoReply {
		a.None = true
	}
	s.answered, s.answer = true, a
	if a.None {
		s.answer.Bytes = 0
	}
	c.open--
	c.bytes -= s.arrival.Bytes
	c.output += s.answer.Bytes
	if a.Throttle > 0 {
		c.mutedUntil = max(c.mutedUntil, now.Mono+a.Throttle)
	}
	if a.Close && (!c.closing || id < c.closeAt) {
		c.closing, c.closeAt = true, id
	}
	c.settle()
}

// settle forgets slots at the front that need nothing any more.
func (c *Connection[T]) settle() {
	n := 0
	for n < len(c.slots) {
		s := &c.slots[n]
		if s.answered && s.answer.None {
			s.left = true
		}
		if !s.answered || !s.left {
			break
		}
		n++
	}
	if n == 0 {
		return
	}
	clear(c.slots[:n])
	c.head += ID(n)
	if c.slots = c.slots[n:]; len(c.slots) == 0 {
		c.slots = c.room // its front has moved
	}
}

// Next returns the next answer that may leave, in order. Its bytes count as output until Written.
func (c *Connection[T]) Next() (item T, ok bool) {
	for i := range c.slots {
		s := &c.slots[i]
		id := c.head + ID(i)
		if c.closing && id > c.closeAt {
			break
		}
		if s.left {
			continue
		}
		if !s.answered {
			break
		}
		s.left = true
		if s.answer.None {
			continue
		}
		item = s.item
		c.settle()
		return item, true
	}
	return item, false
}

// Ready reports whether Next has something.
func (c *Connection[T]) Ready() bool {
	for i := range c.slots {
		s := &c.slots[i]
		if c.closing && c.head+ID(i) > c.closeAt || !s.left && !s.answered {
			return false
		}
		if !s.left && !s.answer.None {
			return true
		}
	}
	return false
}

// Written gives back the bytes of answers that Next handed out and that were written.
func (c *Connection[T]) Written(bytes int64) {
	c.output -= bytes
	if c.output < 0 {
		must.Hold(false, "%d more bytes were written than answered", -c.output)
	}
}

// Drain lets nothing new begin; the connection is Done when what is under way was answered and written.
func (c *Connection[T]) Drain() { c.draining = true }

// Done reports that the connection is to be closed now: everything that leaves before its end was written.
func (c *Connection[T]) Done() bool {
	switch {
	case c.closing:
		for i := range c.slots {
			if c.head+ID(i) > c.closeAt {
				break
			}
			if !c.slots[i].left {
				return false
			}
		}
		return c.output == c.unsent()
	case c.draining:
		return c.open == 0 && c.output == 0 && !c.Ready()
	}
	return false
}

// unsent is the output that will never leave, since it stands behind the answer that closes.
func (c *Connection[T]) unsent() int64 {
	var n int64
	for i := range c.slots {
		if s := &c.slots[i]; c.head+ID(i) > c.closeAt && s.answered && !s.left {
			n += s.answer.Bytes
		}
	}
	return n
}

// Abandon ends the machine when the connection broke: it returns what was answered and will never leave, so that the
// caller can free it.
func (c *Connection[T]) Abandon() []T {
	var out []T
	for i := range c.slots {
		if s := &c.slots[i]; s.answered && !s.left && !s.answer.None {
			s.left = true
			out = append(out, s.item)
		}
	}
	c.draining = true
	return out
}

// MutedUntil returns the end of a throttle on the monotonic clock.
func (c *Connection[T]) MutedUntil() time.Duration { return c.mutedUntil }

// UnderWay returns how many requests have begun and were not answered, and their bytes.
func (c *Connection[T]) UnderWay() (requests int, bytes int64) { return c.open, c.bytes }

// Output returns the bytes of answers that were given and not written.
func (c *Connection[T]) Output() int64 { return c.output }
