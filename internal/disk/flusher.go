package disk

import (
	"errors"
	"sync"
	"time"

	"github.com/milena-io/milena/internal/world"
)

// Flusher is the flush service of one log dir: group commit. What is asked for while a round is under way waits for
// the next one; a round syncs each target once and then calls everybody back. A lone caller pays one sync and no timer.
// A round of several targets begins the writing of all of them before it waits for the first (ADR 0009).
//
// Everything runs by World.Go, each sync on its own: in production goroutines that block in the syncs, a few at a time;
// in a simulation events in an order that the seed decides, so that a crash may fall between any two. A failed sync is
// final (fsyncgate): it fails its round and every later call.
type Flusher struct {
	world world.World
	name  string
	// Synced, when it is set before the first Flush, is told of every sync that was good and how long it took.
	Synced func(took time.Duration)
	// Latency, when it is set before the first Flush, is how long a sync takes: of disks that don't exist.
	Latency func() time.Duration

	begin func() // startRound, made a func once
	next  func() // sync, likewise

	mu      sync.Mutex
	waiting []flushCall
	spare   []flushCall // of the round before, to be used again
	round   flushRound
	busy    bool // somebody waits, or a round is under way
	early   bool // Begin is under way
	failed  error
}

type flushCall struct {
	targets []Syncer
	done    func(error)
}

// flushRound is the calls that are served together.
type flushRound struct {
	calls  []flushCall
	todo   []Syncer // not begun
	active int      // syncs under way
	began  time.Duration
	errs   []error
}

// flushParallel bounds the syncs that one round has under way at a time; more of them gain nothing once writing was begun.
const flushParallel = 8

// NewFlusher returns the service of a log dir; name is for its errors.
func NewFlusher(w world.World, name string) *Flusher {
	f := &Flusher{world: w, name: name}
	f.begin, f.next = f.startRound, f.sync
	return f
}

// Name returns the log dir it serves.
func (f *Flusher) Name() string { return f.name }

// Flush calls done once every target was synced by a sync that began after this call, or with the error that ended the
// service. done runs later, never inline, without locks.
func (f *Flusher) Flush(targets []Syncer, done func(error)) {
	f.mu.Lock()
	f.waiting = append(f.waiting, flushCall{targets, done})
	start := !f.busy
	f.busy = true
	f.mu.Unlock()
	if start {
		f.world.Go(f.begin)
	}
}

// Begin begins the writing of bytes that nobody waits for, so that they don't gather until the kernel makes who writes wait. One
// is under way at a time; what comes meanwhile is left to the kernel.
func (f *Flusher) Begin(b Beginner, from, n int64) {
	f.mu.Lock()
	start := !f.early && f.failed == nil
	f.early = f.early || start
	f.mu.Unlock()
	if !start {
		return
	}
	f.world.Go(func() {
		b.Begin(from, n)
		f.mu.Lock()
		f.early = false
		f.mu.Unlock()
	})
}

// Failed returns the error that ended the service, nil while it works.
func (f *Flusher) Failed() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}

// UnderWay returns the monotonic time since when the flush that is under way has been; ok is false while none is. Whoever
// watches a disk that hangs asks it.
func (f *Flusher) UnderWay() (since time.Duration, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.round.began, f.round.active > 0
}

// startRound starts a round with everybody who waits. The first sync runs here, so that a lone one pays nothing more.
func (f *Flusher) startRound() {
	now := f.world.Now().Mono
	f.mu.Lock()
	r := &f.round
	*r = flushRound{calls: f.waiting, began: now}
	f.waiting, f.spare = f.spare, nil
	if f.failed == nil {
		r.todo = targetsOf(r.calls)
	}
	todo := r.todo
	workers := min(len(todo), flushParallel)
	r.active = max(workers, 1)
	f.mu.Unlock()
	if len(todo) > 1 {
		for _, t := range todo {
			if b, ok := t.(Beginner); ok {
				b.Begin(0, 0)
			}
		}
	}
	for range workers - 1 {
		f.world.Go(f.next)
	}
	f.sync()
}

// sync syncs one target of the round and goes on with the next; whoever comes last ends the round.
func (f *Flusher) sync() {
	f.mu.Lock()
	r := &f.round
	var t Syncer
	if len(r.todo) > 0 {
		t, r.todo = r.todo[0], r.todo[1:]
	}
	f.mu.Unlock()
	if t != nil && f.Latency != nil {
		if d := f.Latency(); d > 0 {
			f.world.After(d, func() { f.synced(t) })
			return
		}
	}
	f.synced(t)
}

// synced syncs a target, nil where none was left, and goes on.
func (f *Flusher) synced(t Syncer) {
	r := &f.round
	var err error
	if t != nil {
		err = f.timed(t)
	}
	f.mu.Lock()
	if err != nil {
		r.errs = append(r.errs, err)
		r.todo = nil // after a failure nothing more is promised
	}
	if len(r.todo) > 0 {
		f.mu.Unlock()
		f.world.Go(f.next)
		return
	}
	r.active--
	over := r.active == 0
	f.mu.Unlock()
	if over {
		f.end(r)
	}
}

// timed syncs a target.
func (f *Flusher) timed(t Syncer) error {
	if f.Synced == nil {
		return t.Sync()
	}
	began := f.world.Now().Mono
	err := t.Sync()
	if err == nil {
		f.Synced(f.world.Now().Mono - began)
	}
	return err
}

// end calls everybody of the round back and begins the next one if somebody waits.
func (f *Flusher) end(r *flushRound) {
	f.mu.Lock()
	if f.failed == nil && len(r.errs) > 0 {
		f.failed = &flushError{f.name, errors.Join(r.errs...)}
	}
	err := f.failed
	f.mu.Unlock()
	for _, c := range r.calls {
		c.done(err)
	}
	f.mu.Lock()
	clear(r.calls)
	f.spare = r.calls[:0]
	more := len(f.waiting) > 0
	f.busy = more
	f.mu.Unlock()
	if more {
		f.world.Go(f.begin)
	}
}

// flushError says which log dir is lost.
type flushError struct {
	name string
	err  error
}

func (e *flushError) Error() string { return "flush of " + e.name + ": " + e.err.Error() }
func (e *flushError) Unwrap() error { return e.err }

// targetsOf lists each target once, in the order of the calls.
func targetsOf(calls []flushCall) []Syncer {
	if len(calls) == 1 && len(calls[0].targets) == 1 {
		return calls[0].targets
	}
	seen := make(map[Syncer]bool)
	var todo []Syncer
	for _, c := range calls {
		for _, t := range c.targets {
			if !seen[t] {
				seen[t] = true
				todo = append(todo, t)
			}
		}
	}
	return todo
}
