package world

import (
	"container/heap"
	"math/rand/v2"
	"time"

	"github.com/milena-io/milena/internal/kafka"
)

// Virtual is the World of simulations and tests: one goroutine, a clock that jumps to the next event, and a seeded
// source of chance. Two Virtuals of one seed driven by the same calls run the same events in the same order.
// It is not safe for concurrent use; that is its point.
type Virtual struct {
	now    time.Duration
	wallMs int64
	rng    *rand.Rand
	queue  events
	seq    uint64
	jitter time.Duration
}

// NewVirtual returns a world of one seed. The wall clock starts at a fixed day in 2026.
func NewVirtual(seed uint64) *Virtual {
	return &Virtual{
		now:    time.Hour,
		wallMs: 1_790_000_000_000,
		rng:    rand.New(rand.NewPCG(seed, 0x6d696c656e61)),
		jitter: 200 * time.Microsecond,
	}
}

// Now returns the virtual present.
func (v *Virtual) Now() kafka.Instant {
	return kafka.Instant{Mono: v.now, WallMs: v.wallMs + v.now.Milliseconds()}
}

// Go runs f at a random moment within the next 200 microseconds of virtual time.
func (v *Virtual) Go(f func()) { v.After(time.Duration(v.rng.Int64N(int64(v.jitter))), f) }

// After queues f; events due at the same moment run in the order they were queued.
func (v *Virtual) After(d time.Duration, f func()) Timer {
	if d < 0 {
		d = 0
	}
	v.seq++
	e := &event{at: v.now + d, seq: v.seq, run: f}
	heap.Push(&v.queue, e)
	return e
}

// UUID draws from the seed.
func (v *Virtual) UUID() kafka.UUID {
	var u kafka.UUID
	for i := range u {
		u[i] = byte(v.rng.Uint32())
	}
	u[0] |= 0x40 // never a reserved id, never a leading dash
	u[0] &^= 0x80
	return u
}

// Uint64 draws from the seed.
func (v *Virtual) Uint64() uint64 { return v.rng.Uint64() }

// Rand is the seeded source, for the simulation's own dice.
func (v *Virtual) Rand() *rand.Rand { return v.rng }

// Step runs the next event and reports whether there was one.
func (v *Virtual) Step() bool {
	for v.queue.Len() > 0 {
		e := heap.Pop(&v.queue).(*event)
		if e.run == nil {
			continue
		}
		v.now = max(v.now, e.at)
		run := e.run
		e.run = nil
		run()
		return true
	}
	return false
}

// Run runs every event due within d and leaves the clock d later.
func (v *Virtual) Run(d time.Duration) {
	end := v.now + d
	for v.queue.Len() > 0 && v.queue[0].at <= end {
		v.Step()
	}
	v.now = max(v.now, end)
}

// RunUntil runs events until done reports true, and reports whether it did within limit.
func (v *Virtual) RunUntil(limit time.Duration, done func() bool) bool {
	end := v.now + limit
	for !done() {
		if v.queue.Len() == 0 || v.queue[0].at > end {
			v.now = max(v.now, end)
			return done()
		}
		v.Step()
	}
	return true
}

// JumpWall moves the wall clock alone, as an operator or NTP would.
func (v *Virtual) JumpWall(by time.Duration) { v.wallMs += by.Milliseconds() }

type event struct {
	at  time.Duration
	seq uint64
	run func()
}

// Stop keeps the event from running.
func (e *event) Stop() bool {
	was := e.run != nil
	e.run = nil
	return was
}

type events []*event

func (q events) Len() int { return len(q) }
func (q events) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}
func (q events) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *events) Push(x any)   { *q = append(*q, x.(*event)) }
func (q *events) Pop() any {
	old := *q
	e := old[len(old)-1]
	*q = old[:len(old)-1]
	return e
}
