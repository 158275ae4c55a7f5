package world

import "sync"

// Pool runs work by World.Go, so many pieces at a time and in the order in which they came: what would take a thread each, of
// ten thousand logs to be closed.
type Pool struct {
	w     World
	width int

	mu      sync.Mutex
	waiting []func()
	active  int
}

// NewPool returns a pool of a width of at least one.
func NewPool(w World, width int) *Pool { return &Pool{w: w, width: max(width, 1)} }

// Go runs f once a place is free; it never runs it inline.
func (p *Pool) Go(f func()) {
	p.mu.Lock()
	if p.active >= p.width {
		p.waiting = append(p.waiting, f)
		p.mu.Unlock()
		return
	}
	p.active++
	p.mu.Unlock()
	p.w.Go(func() { p.run(f) })
}

// Resize changes the width; what is at work beyond it ends in peace.
func (p *Pool) Resize(width int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.width = max(width, 1)
	for p.active < p.width && len(p.waiting) > 0 {
		p.active++
		next := p.take()
		p.w.Go(func() { p.run(next) })
	}
}

// take takes the first that waits. Called with the mutex held.
func (p *Pool) take() func() {
	f := p.waiting[0]
	p.waiting[0] = nil
	p.waiting = p.waiting[1:]
	return f
}

// run runs a piece, and hands its place to the next one.
func (p *Pool) run(f func()) {
	f()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) == 0 || p.active > p.width {
		p.active--
		return
	}
	next := p.take()
	p.w.Go(func() { p.run(next) })
}
