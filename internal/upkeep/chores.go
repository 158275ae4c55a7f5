package upkeep

import (
	"sync"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/storage"
	"github.com/milena-io/milena/internal/world"
)

// chores are the timers of what is done again and again, by name. One that is left would keep a stopped node in memory.
type chores struct {
	mu      sync.Mutex
	timers  map[string]world.Timer
	stopped bool
}

// set keeps the timer of a chore's next turn; after a stop there is none.
func (c *chores) set(name string, t world.Timer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		t.Stop()
		return
	}
	c.timers[name] = t
}

func (c *chores) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	for _, t := range c.timers {
		t.Stop()
	}
}

// every runs f again and again, the key's interval after it was done.
func (u *Upkeep) every(key string, f func() error) { u.repeat(key, u.o.Static.Millis(key), f) }

// eachEvery runs f for each directory again and again, the key's interval after it was done there.
func (u *Upkeep) eachEvery(key string, f func(*storage.Volume) error) {
	u.each(key, u.o.Static.Millis(key), f)
}

// each repeats f for each directory of partitions by itself: a disk that hangs in the middle of it keeps no other waiting.
func (u *Upkeep) each(name string, interval time.Duration, f func(*storage.Volume) error) {
	for _, v := range u.o.Storage.Volumes {
		u.schedule(name+" in "+v.Path, interval, u.postponed(func() error {
			if v.Offline() != nil {
				return nil
			}
			return f(v)
		}, "chore", name, "dir", v.Path))
	}
}

// repeat runs f again and again, an interval after it was done. Nothing else has its name.
func (u *Upkeep) repeat(name string, interval time.Duration, f func() error) {
	u.schedule(name, interval, u.postponed(f, "chore", name))
}

// postponed is a chore that waits for its next turn when it found too many files open, and says so once, with what tells which it is.
func (u *Upkeep) postponed(f func() error, which ...any) func() error {
	late := false
	return func() error {
		err := f()
		if !fault.OutOfFiles(err) {
			late = late && err != nil
			return err
		}
		if !late {
			u.log("kafka.log").Warn("A chore is put off until files can be opened again.", append(which[:len(which):len(which)], "error", err)...)
		}
		late = true
		return nil
	}
}

func (u *Upkeep) schedule(name string, interval time.Duration, f func() error) {
	u.chores.set(name, u.o.World.After(interval, func() {
		if u.o.Life.Over() {
			return
		}
		if err := f(); err != nil && !fault.IsKind(err, fault.Closed) && !fault.IsKind(err, fault.Full) {
			u.o.Life.Fail(err)
			return
		}
		u.schedule(name, interval, f)
	}))
}
