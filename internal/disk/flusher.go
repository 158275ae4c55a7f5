package disk

import (
	"errors"
	"sync"

	"github.com/milena-io/milena/internal/world"
)

// Flusher is the flush service of one log dir: group commit. What is asked for while a round is under way waits for
// the next one; a round syncs each target once and then calls everybody back. A lone caller pays one sync and no timer.
//
// A round runs by World.Go: in production a goroutine that blocks in the syncs, in a simulation an event some time
// later. A failed sync is final (fsyncgate): it fails its round and every later call.
type Flusher struct {
	world world.World
	name  string

	mu      sync.Mutex
	waiting []flushCall
	running bool
	failed  error
}

type flushCall struct {
	targets []Syncer
	done    func(error)
}

// flushParallel bounds the syncs that one round has under way at a time.
const flushParallel = 8

// NewFlusher returns the service of a log dir; name is for its errors.
func NewFlusher(w world.World, name string) *Flusher { return &Flusher{world: w, name: name} }

// Flush calls done once every target was synced by a sync that began after this call, or with the error that ended the
// service. done runs later, never inline, without locks.
func (f *Flusher) Flush(targets []Syncer, done func(error)) {
	f.mu.Lock()
	f.waiting = append(f.waiting, flushCall{targets, done})
	start := !f.running
	f.running = true
	f.mu.Unlock()
	if start {
		f.world.Go(f.rounds)
	}
}

// Failed returns the error that ended the service, nil while it works.
func (f *Flusher) Failed() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}

func (f *Flusher) rounds() {
	f.mu.Lock()
	calls := f.waiting
	f.waiting = nil
	err := f.failed
	f.mu.Unlock()
	if err == nil {
		if err = syncAll(calls); err != nil {
			f.mu.Lock()
			f.failed = err
			f.mu.Unlock()
		}
	}
	for _, c := range calls {
		c.done(err)
	}
	f.mu.Lock()
	more := len(f.waiting) > 0
	f.running = more
	f.mu.Unlock()
	if more {
		f.world.Go(f.rounds)
	}
}

// syncAll syncs each target of a round once, a few at a time.
func syncAll(calls []flushCall) error {
	if len(calls) == 1 && len(calls[0].targets) == 1 {
		return calls[0].targets[0].Sync()
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
	if len(todo) == 1 {
		return todo[0].Sync()
	}
	errs := make([]error, len(todo))
	var wg sync.WaitGroup
	slots := make(chan struct{}, flushParallel)
	for i, t := range todo {
		slots <- struct{}{}
		wg.Go(func() {
			errs[i] = t.Sync()
			<-slots
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
