package crash

import (
	"fmt"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	worlds "github.com/milena-io/milena/internal/world"
)

// stage is the World of the processes of a story: time stands still unless the story moves it, or a tick of the timers does;
// what is asked for happens in the order in which it was asked, and a timer fires when the story says so.
type stage struct {
	now    func() kafka.Instant
	step   time.Duration // of the monotonic clock in each tick
	passed time.Duration
	queue  []func()
}

// settle does what was asked for, until nothing is left.
func (s *stage) settle() {
	for len(s.queue) > 0 {
		f := s.queue[0]
		s.queue = s.queue[1:]
		f()
	}
}

// actor is one process on a stage.
type actor struct {
	*stage
	ids    *worlds.Virtual
	timers []*timer
	dead   bool
}

func (s *stage) actor(seed uint64) *actor { return &actor{stage: s, ids: worlds.NewVirtual(seed)} }

// Now returns the story's time.
func (a *actor) Now() kafka.Instant {
	now := a.now()
	now.Mono += a.passed
	return now
}

// Go puts f at the end of what there is to do; it does not happen when the process is dead by then.
func (a *actor) Go(f func()) {
	a.queue = append(a.queue, func() {
		if !a.dead {
			f()
		}
	})
}

// After waits for tick.
func (a *actor) After(_ time.Duration, f func()) worlds.Timer {
	t := &timer{f: f}
	a.timers = append(a.timers, t)
	return t
}

// UUID draws from the actor's seed.
func (a *actor) UUID() kafka.UUID { return a.ids.UUID() }

// Uint64 draws from the actor's seed.
func (a *actor) Uint64() uint64 { return a.ids.Uint64() }

// tick fires every timer that is set, and does what comes of it.
func (a *actor) tick() {
	a.passed += a.step
	due := a.timers
	a.timers = nil
	for _, t := range due {
		if t.Stop() {
			a.Go(t.f)
		}
	}
	a.settle()
}

// until ticks until something is so.
func (a *actor) until(what string, is func() bool) error {
	for range 200 {
		if a.settle(); is() {
			return nil
		}
		a.tick()
	}
	return fmt.Errorf("200 ticks, and still not: %s", what)
}

// timer is one that waits.
type timer struct {
	f       func()
	stopped bool
}

// Stop implements world.Timer.
func (t *timer) Stop() bool {
	was := t.stopped
	t.stopped = true
	return !was
}
