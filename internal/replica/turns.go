package replica

import (
	"sync"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/world"
)

// waiting is a partition that waits for its turn.
type waiting struct {
	id kafka.TopicIDPartition
	p  *partition.Partition
}

// turns gives partitions their turns, one after another and each on its own, in the order in which they came.
type turns struct {
	world world.World
	take  func(waiting) // the turn; it is over when over is called

	mu     sync.Mutex
	queue  []waiting
	under  bool
	closed bool
}

// add has a partition wait for its turn.
func (t *turns) add(w waiting) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	t.queue = append(t.queue, w)
	if !t.under {
		t.under = true
		t.world.Go(t.next)
	}
}

// over ends a turn.
func (t *turns) over() { t.world.Go(t.next) }

// next begins the turn of the partition that waited longest.
func (t *turns) next() {
	t.mu.Lock()
	if len(t.queue) == 0 {
		t.under = false
		t.mu.Unlock()
		return
	}
	w := t.queue[0]
	t.queue = t.queue[1:]
	t.mu.Unlock()
	t.take(w)
}

// close begins no turn any more.
func (t *turns) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed, t.queue = true, nil
}

// ended reports whether no turn begins any more.
func (t *turns) ended() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.closed
}
