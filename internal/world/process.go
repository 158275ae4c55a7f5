package world

import (
	"sync/atomic"
	"time"
)

// Process is a World that can die: once killed, nothing that was asked of it runs any more. A simulation gives each
// incarnation of a node one, so that a crash takes its timers and half-done work with it.
type Process struct {
	World
	dead atomic.Bool
}

// NewProcess wraps a World.
func NewProcess(w World) *Process { return &Process{World: w} }

// Kill ends the process; callbacks still queued never run.
func (p *Process) Kill() { p.dead.Store(true) }

// Alive reports whether the process was not killed.
func (p *Process) Alive() bool { return !p.dead.Load() }

// Go runs f unless the process dies first.
func (p *Process) Go(f func()) { p.World.Go(p.guard(f)) }

// After runs f unless the process dies first.
func (p *Process) After(d time.Duration, f func()) Timer { return p.World.After(d, p.guard(f)) }

func (p *Process) guard(f func()) func() {
	return func() {
		if p.Alive() {
			f()
		}
	}
}
