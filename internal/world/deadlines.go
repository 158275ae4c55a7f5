package world

import (
	"container/heap"
	"sync"
	"time"
)

// Deadlines keeps many deadlines on one timer of a World, for requests that nearly always finish long before theirs:
// adding and cancelling cost a heap step and no timer of their own (hot-path.md rule 10).
type Deadlines struct {
	w     World
	mu    sync.Mutex
	queue deadlineQueue
	timer Timer
	armed time.Duration // when timer fires; meaningless while timer is nil
}

// Deadline is one entry. Its zero value is not in any queue.
type Deadline struct {
	at    time.Duration
	index int
	run   func()
}

// NewDeadlines returns an empty set.
func NewDeadlines(w World) *Deadlines { return &Deadlines{w: w} }

// Add runs f, as World.Go does, once d has passed, unless Cancel comes first.
func (q *Deadlines) Add(d time.Duration, f func()) *Deadline {
	e := &Deadline{}
	q.Set(e, d, f)
	return e
}

// Set is Add for a deadline of the caller's, which is in no queue: a new one, or one that was cancelled or has run.
func (q *Deadlines) Set(e *Deadline, d time.Duration, f func()) {
	at := q.w.Now().Mono + max(d, 0)
	q.mu.Lock()
	defer q.mu.Unlock()
	e.at, e.run = at, f
	heap.Push(&q.queue, e)
	q.arm()
}

// Cancel takes a deadline out and reports whether it came in time.
func (q *Deadlines) Cancel(e *Deadline) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if e.index < 0 || e.run == nil {
		return false
	}
	heap.Remove(&q.queue, e.index)
	e.run = nil
	return true
}

// Rush runs every deadline now, in order, as World.Go does: nobody wants to wait any more.
func (q *Deadlines) Rush() {
	q.mu.Lock()
	var all []func()
	for len(q.queue) > 0 {
		e := heap.Pop(&q.queue).(*Deadline)
		all = append(all, e.run)
		e.run = nil
	}
	q.mu.Unlock()
	for _, run := range all {
		q.w.Go(run)
	}
}

// Len returns how many deadlines are pending.
func (q *Deadlines) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.queue)
}

// arm makes sure that a timer fires no later than the first deadline. A timer that fires early finds nothing due and
// arms the next, so cancelling never touches it.
func (q *Deadlines) arm() {
	if len(q.queue) == 0 {
		return
	}
	first := q.queue[0].at
	if q.timer != nil && q.armed <= first {
		return
	}
	if q.timer != nil {
		q.timer.Stop()
	}
	q.armed = first
	q.timer = q.w.After(first-q.w.Now().Mono, q.fire)
}

func (q *Deadlines) fire() {
	now := q.w.Now().Mono
	var due []func()
	q.mu.Lock()
	q.timer = nil
	for len(q.queue) > 0 && q.queue[0].at <= now {
		e := heap.Pop(&q.queue).(*Deadline)
		due = append(due, e.run)
		e.run = nil
	}
	q.arm()
	q.mu.Unlock()
	for _, f := range due {
		f()
	}
}

type deadlineQueue []*Deadline

func (q deadlineQueue) Len() int           { return len(q) }
func (q deadlineQueue) Less(i, j int) bool { return q[i].at < q[j].at }
func (q deadlineQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}
func (q *deadlineQueue) Push(x any) {
	e := x.(*Deadline)
	e.index = len(*q)
	*q = append(*q, e)
}
func (q *deadlineQueue) Pop() any {
	old := *q
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	e.index = -1
	return e
}
