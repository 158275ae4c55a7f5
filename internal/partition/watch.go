package partition

import "github.com/milena-io/milena/internal/fault"

// Watcher is told when there may be something new to read: the high watermark, the last stable offset, the log start
// or the leadership moved; a follower's, the log end. Moved must be quick and may be called from any goroutine, more than once. A Watcher is on
// one partition at a time; a fetch of many partitions has one for each.
type Watcher struct {
	Moved      func()
	End        bool     // the log end, too: of a replica's fetch. Not to be changed while it watches
	prev, next *Watcher // ring through the partition's root; nil while on none
}

// watchers are those of one partition.
type watchers struct {
	root  Watcher // of the ring
	ends  Watcher // of the ring of those who are told of the log end
	moves uint64  // how often those of root were called, or would have been
	grown uint64  // and those of ends
	spare *woken
}

func (w *watchers) init() {
	w.root.prev, w.root.next = &w.root, &w.root
	w.ends.prev, w.ends.next = &w.ends, &w.ends
}

// Watch adds a watcher. It reports whether something moved since a read, which Records.Moves tells: then the caller reads
// again, for what it waits for may have happened just before.
func (p *Partition) Watch(w *Watcher, since uint64) (moved bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ring, count := &p.watchers.root, p.watchers.moves
	if w.End {
		ring, count = &p.watchers.ends, p.watchers.grown
	}
	w.prev, w.next = ring.prev, ring
	w.prev.next, w.next.prev = w, w
	return count != since
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
	p.watchers.grown++
	return p.waken(&p.watchers.root, &p.watchers.ends)
}

// wakeFollowers is wake for those who wait for the log end. Called with the mutex held.
func (p *Partition) wakeFollowers() []func() {
	p.watchers.grown++
	return p.waken(&p.watchers.ends)
}

func (p *Partition) waken(rings ...*Watcher) []func() {
	t := p.watchers.spare
	for _, root := range rings {
		for w := root.next; w != root; w = w.next {
			if t == nil {
				t = &woken{p: p}
				t.call[0] = t.run
			}
			p.watchers.spare = nil
			t.moved = append(t.moved, w.Moved)
		}
	}
	if t == nil || len(t.moved) == 0 {
		return nil
	}
	return t.call[:]
}

// woken is watchers on their way to be called; one of each partition serves again and again.
type woken struct {
	p     *Partition
	moved []func()
	call  [1]func() // run, made a func once
}

func (t *woken) run() {
	for _, moved := range t.moved {
		moved()
	}
	clear(t.moved)
	t.moved = t.moved[:0]
	t.p.mu.Lock()
	t.p.watchers.spare = t
	t.p.mu.Unlock()
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
	unrolled := p.log.MaybeRoll(now)
	err := unrolled
	var calls []func()
	if err == nil || fault.IsKind(err, fault.Full) || fault.IsKind(err, fault.Corrupt) {
		var removed int
		if removed, err = p.log.Retain(now, p.rep.HighWatermark()); err == nil {
			err = unrolled
		}
		if removed > 0 {
			calls = append(p.wake(), p.retired())
		}
		calls = append(calls, p.synced()...)
		p.flushAll()
	}
	p.mu.Unlock()
	run(calls)
	return err
}
