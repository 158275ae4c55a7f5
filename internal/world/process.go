package world

import (
	"sync/atomic"
	"time"
)

// Process is a World that can die: once killed, nothing that was asked of it runs any more. A simulation gives each
// incarnation of a node one, so that a crash takes its timers and half-done work with it. It can also stand still, as after a
// SIGSTOP: what comes due meanwhile runs when it goes on, all at once.
type Process struct {
	World
	dead    atomic.Bool
	stopped bool     // of simulations alone
	due     []func() // while stopped
}

// NewProcess wraps a World.
func NewProcess(w World) *Process { return &Process{World: w} }

// Kill ends the process; callbacks still queued never run.
func (p *Process) Kill() { p.dead.Store(true) }

// Alive reports whether the process was not killed.
func (p *Process) Alive() bool { return !p.dead.Load() }

// Pause has the process stand still. It is for worlds of one goroutine, like Continue.
func (p *Process) Pause() { p.stopped = true }

// Continue has it go on: what came due meanwhile runs now, in order.
func (p *Process) Continue() {
	p.stopped = false
	due := p.due
	p.due = nil
	for _, f := range due {
		p.World.After(0, p.guard(f))
	}
}

// Go runs f unless the process dies first.
func (p *Process) Go(f func()) { p.World.Go(p.guard(f)) }

// After runs f unless the process dies first.
func (p *Process) After(d time.Duration, f func()) Timer { return p.World.After(d, p.guard(f)) }

func (p *Process) guard(f func()) func() {
	return func() {
		switch {
		case !p.Alive():
		case p.stopped:
			p.due = append(p.due, f)
		default:
			f()
		}
	}
}
