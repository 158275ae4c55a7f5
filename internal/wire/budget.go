package wire

import "sync"

// Budget is the memory that requests and answers of a whole node may take: frames as they arrive, what decoding them
// takes, and encoded answers until they are written. It is safe for concurrent use.
//
// It is a brake and not a wall: Take always succeeds, since a frame that has begun must be able to end. Whoever would
// begin something new asks Short first and waits with WhenFree. So the budget is overdrawn by what has begun at most.
type Budget struct {
	limit int64

	mu      sync.Mutex
	used    int64
	waiting []func()
}

// NewBudget allows about limit bytes.
func NewBudget(limit int64) *Budget { return &Budget{limit: limit} }

// Take records n bytes as used. A negative n gives bytes back.
func (b *Budget) Take(n int64) {
	b.mu.Lock()
	b.used += n
	var wake []func()
	if n < 0 && b.used < b.limit {
		wake, b.waiting = b.waiting, nil
	}
	b.mu.Unlock()
	for _, f := range wake {
		f()
	}
}

// TryTake records n bytes as used if they fit, or if they are few enough not to matter.
func (b *Budget) TryTake(n int64) bool {
	const few = 64 << 10
	b.mu.Lock()
	defer b.mu.Unlock()
	if n > few && b.used+n > b.limit {
		return false
	}
	b.used += n
	return true
}

// Used returns the bytes in use.
func (b *Budget) Used() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// Short reports whether nothing new should begin.
func (b *Budget) Short() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used >= b.limit
}

// WhenFree calls f once, from whoever gives bytes back, when the budget is no longer short; at once when it isn't now.
// f must not block.
func (b *Budget) WhenFree(f func()) {
	b.mu.Lock()
	short := b.used >= b.limit
	if short {
		b.waiting = append(b.waiting, f)
	}
	b.mu.Unlock()
	if !short {
		f()
	}
}
