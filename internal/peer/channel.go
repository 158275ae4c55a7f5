package peer

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/milena-io/milena/internal/world"
)

// Channel is one connection to one address for one purpose, which is made when something is asked and made again after it
// ended. It is safe for concurrent use.
type Channel struct {
	p     *Peers
	addr  string
	ended func(Ending)

	mu      sync.Mutex
	closed  bool
	waiting []*call // in order; nothing of them was sent
	free    []*call
	pushing bool // somebody takes from waiting, and is the only one to do so
	stream  *stream
	// Attempts.
	failures int           // since the last connection that stood
	earliest time.Duration // of the next attempt
	retry    world.Timer   // of the next attempt; nil when none is waited for
	last     Ending        // of the last attempt, while failures > 0
}

// Addr returns the address.
func (c *Channel) Addr() string { return c.addr }

// Ask sends a request, or keeps it until there is a connection. A connection that is being tried and fails fails whatever
// waits for it; between attempts a request waits for the next one.
func (c *Channel) Ask(r Request) {
	c.mu.Lock()
	call := c.take(r)
	if c.closed {
		call.is = over
		c.mu.Unlock()
		c.p.o.World.Go(func() { r.Done(Answer{}, call.failure(Ending{How: Closed}, false)) })
		return
	}
	c.waiting = append(c.waiting, call)
	c.p.deadlines.Set(&call.deadline, r.Timeout, call.expire)
	c.push(true)
}

// Close ends the channel: whoever waits is told, and nothing is asked any more.
func (c *Channel) Close() {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	c.closed = true
	if c.retry != nil {
		c.retry.Stop()
	}
	all := c.drop(Ending{How: Closed}, true)
	c.mu.Unlock()
	c.p.later(all)
}

// later tells verdicts in an event of their own.
func (p *Peers) later(all []verdict) {
	if len(all) > 0 {
		p.o.World.Go(func() { tell(all) })
	}
}

// take returns a call for r. Called with the lock held, like all that follows unless it says otherwise.
func (c *Channel) take(r Request) *call {
	n := len(c.free)
	if n == 0 {
		k := &call{Request: r, channel: c}
		k.expire = func() { c.expired(k) }
		return k
	}
	k := c.free[n-1]
	c.free = c.free[:n-1]
	k.Request, k.is = r, waiting
	return k
}

// finish ends a call, and reports whether its deadline is not to run any more: then it may serve again.
func (c *Channel) finish(k *call) bool {
	k.is = over
	return c.p.deadlines.Cancel(&k.deadline)
}

// recycle keeps a call that has ended for the next request.
func (c *Channel) recycle(k *call) {
	const kept = 64
	if len(c.free) < kept {
		k.Request = Request{}
		c.free = append(c.free, k)
	}
}

// push sends what waits, as far as it can go, and connects when it has to. It is entered with the lock held and leaves without;
// calls that can't be sent are told so, in an event of their own when it is a caller of Ask who pushes.
func (c *Channel) push(asking bool) {
	var failed []verdict
	for !c.pushing && len(c.waiting) > 0 && !c.closed {
		s := c.stream
		if s == nil {
			c.connect()
			break
		}
		if s.is != ready || !s.room() {
			break
		}
		k := c.waiting[0]
		c.waiting = slices.Delete(c.waiting, 0, 1)
		version, err := s.agree(k)
		if err != nil {
			c.finish(k)
			failed = append(failed, verdict{k, err})
			continue
		}
		c.encode(s, k, version)
	}
	c.mu.Unlock()
	if asking {
		c.p.later(failed)
	} else {
		tell(failed)
	}
}

// encode has a request's body written, without the lock, and sends it.
func (c *Channel) encode(s *stream, k *call, version int16) {
	k.is, k.version, k.correlation = encoding, version, s.next
	s.next++
	c.pushing = true
	c.mu.Unlock()
	frame := c.p.request(k)
	c.mu.Lock()
	c.pushing = false
	switch {
	case k.is == over: // it ended meanwhile
		frame.Free()
	case c.stream != s:
		frame.Free()
		k.is = waiting
		c.waiting = slices.Insert(c.waiting, 0, k)
	default:
		s.send(k, frame)
	}
}

// drop ends the connection, with everything that was sent on it, and with what waits for one when it never stood or all is
// to end. Its own end is told by whoever calls it.
func (c *Channel) drop(e Ending, all bool) []verdict {
	var out []verdict
	fail := func(k *call, maybe bool) {
		c.finish(k)
		out = append(out, verdict{k, k.failure(e, maybe)})
	}
	if s := c.stream; s != nil {
		written := s.conn.Written()
		for _, k := range s.calls {
			fail(k, k.end <= written)
		}
		s.calls = nil
		s.is = gone
		c.stream = nil
		s.conn.Close()
		c.p.deadlines.Cancel(&s.setup)
	}
	if all {
		for _, k := range c.waiting {
			fail(k, false)
		}
		c.waiting = nil
	}
	return out
}

// lose ends the connection s, unless it has ended already, and tells everybody. It is entered with the lock held and leaves
// without.
func (c *Channel) lose(s *stream, e Ending) {
	if c.stream != s {
		c.mu.Unlock()
		return
	}
	e.Stood = s.is == ready
	if !e.Stood {
		c.failures++
		c.last = e
		c.earliest = s.begun + c.p.backoff(c.failures)
	}
	out := c.drop(e, !e.Stood)
	c.mu.Unlock()
	tell(out)
	c.ended(e)
	c.mu.Lock()
	c.push(false)
}

// expired is a call's deadline.
func (c *Channel) expired(k *call) {
	c.mu.Lock()
	switch k.is {
	case over:
		c.mu.Unlock()
	case sent:
		c.lose(c.stream, Ending{How: Silent, Err: fmt.Errorf("%v was not answered within %v", k.API.Key, k.Timeout)})
	default:
		c.waiting = slices.DeleteFunc(c.waiting, func(w *call) bool { return w == k })
		k.is = over
		e := Ending{How: Silent, Err: errors.New("no connection came about in time")}
		if c.failures > 0 {
			e.Err = fmt.Errorf("no connection came about in time; the last attempt was %v", c.last)
		}
		c.mu.Unlock()
		tell([]verdict{{k, k.failure(e, false)}})
	}
}

// connect begins an attempt, at once or when its time has come.
func (c *Channel) connect() {
	if c.retry != nil {
		return
	}
	if wait := c.earliest - c.p.o.World.Now().Mono; wait > 0 {
		c.retry = c.p.o.World.After(wait, c.again)
		return
	}
	c.stream = newStream(c)
}

// again is the time of the next attempt.
func (c *Channel) again() {
	c.mu.Lock()
	c.retry = nil
	c.push(false)
}

// backoff is how long after an attempt's beginning the next one may begin, as Kafka's clients do: doubled with each failure, and
// spread by a fifth either way.
func (p *Peers) backoff(failures int) time.Duration {
	return p.spread(grown(p.o.Backoff, p.o.BackoffMax, failures-1))
}

// grown doubles a duration so many times, up to a limit.
func grown(d, most time.Duration, times int) time.Duration {
	for ; times > 0 && d < most; times-- {
		d *= 2
	}
	return min(d, max(most, 0))
}

func (p *Peers) spread(d time.Duration) time.Duration {
	fifth := uint64(d / 5)
	if fifth == 0 {
		return d
	}
	return d - time.Duration(fifth) + time.Duration(p.o.World.Uint64()%(2*fifth))
}
