package partition

import "github.com/milena-io/milena/internal/fault"

// Watcher is told when there may be something new to read: the high watermark, the last stable offset, the log start
// or the leadership moved. Moved must be quick and may be called from any goroutine, more than once. A Watcher is on
// one partition at a time; a fetch of many partitions has one for each.
type Watcher struct {
	Moved      func()
	prev, next *Watcher // ring through the partition's root; nil while on none
}

// watchers are those of one partition.
type watchers struct {
	root  Watcher // of the ring
	moves uint64  // how often they were called, or would have been
}

func (w *watchers) init() { w.root.prev, w.root.next = &w.root, &w.root }

// Watch adds a watcher. It reports whether something moved since a read, which Records.Moves tells: then the caller reads
// again, for what it waits for may have happened just before.
func (p *Partition) Watch(w *Watcher, since uint64) (moved bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.prev, w.next = p.watchers.root.prev, &p.watchers.root
	w.prev.next, w.next.prev = w, w
	return p.watchers.moves != since
}

// Unwatch takes a watcher out; a watcher that is on no partition is left alone.
func (p *Partition) Unwatch(w *Watcher) {
	p.mu.Lock()
	if w.next != nil {
		w.prev.next, w.next.prev = w.next, w.prev
		w.prev, w.next = nil, nil
	}
	p.mu.Unlock()
}

// wake collects the watchers' calls, in the order they came, so that a simulation repeats. Called with the mutex held.
func (p *Partition) wake() []func() {
	p.watchers.moves++
	var calls []func()
	for w := p.watchers.root.next; w != &p.watchers.root; w = w.next {
		calls = append(calls, w.Moved)
	}
	return calls
}

// Tend does what time asks for: rolls a segment that is old enough and removes what retention gives up.
func (p *Partition) Tend() error {
	p.mu.Lock()
	if p.gone != nil || p.log == nil || p.held() {
		p.mu.Unlock()
		return nil
	}
	now := p.at().World.Now()
	p.log.Ease()
	err := p.log.MaybeRoll(now)
	var calls []func()
	if err == nil || fault.IsKind(err, fault.Full) {
		var removed int
		removed, err = p.log.Retain(now, p.rep.HighWatermark())
		if removed > 0 {
			calls = append(p.wake(), p.retired())
		}
		p.flushAll()
	}
	p.mu.Unlock()
	run(calls)
	return err
}
