package wire

import (
	"sync"
	"sync/atomic"
)

// Budget is the memory that requests and answers of a whole node may take: frames as they arrive, what decoding them
// takes, and encoded answers until they are written. It is safe for concurrent use.
//
// Take always succeeds, since what has begun must be able to end; so three rules keep the sum near the limit. While memory
// is Short a large frame stops growing where it is, except one, which may overdraw so that somebody always gets on (see
// Framer.Starved). No connection begins a second request or answer beyond its Share of what is left, so that many that
// don't read leave room for those that do. And a body whose decoding would not fit is refused.
type Budget struct {
	limit     int64
	used      atomic.Int64
	overdrawn atomic.Bool // a frame has the right to grow while memory is short
	waiters   atomic.Int32

	mu      sync.Mutex
	waiting []func()
}

// NewBudget allows about limit bytes.
func NewBudget(limit int64) *Budget { return &Budget{limit: limit} }

// Take records n bytes as used. A negative n gives bytes back.
func (b *Budget) Take(n int64) {
	if used := b.used.Add(n); n < 0 && used < b.limit {
		b.wake()
	}
}

// TryTake records n bytes as used if they fit, or if they are few enough not to matter.
func (b *Budget) TryTake(n int64) bool {
	const few = 64 << 10
	for {
		used := b.used.Load()
		if n > few && used+n > b.limit {
			return false
		}
		if b.used.CompareAndSwap(used, used+n) {
			return true
		}
	}
}

// Used returns the bytes in use.
func (b *Budget) Used() int64 { return b.used.Load() }

// Short reports whether nothing large should grow.
func (b *Budget) Short() bool { return b.used.Load() >= b.limit }

// Share returns how much one connection may hold beyond its first request and its first answer: a quarter of what is
// left. However many take theirs, something is left for the next.
func (b *Budget) Share() int64 { return max(1, (b.limit-b.used.Load())/4) }

// overdraw takes the right to go on while memory is short, which one has at a time.
func (b *Budget) overdraw() bool { return b.overdrawn.CompareAndSwap(false, true) }

func (b *Budget) endOverdraft() {
	b.overdrawn.Store(false)
	b.wake()
}

// WhenFree calls f once, from whoever gives memory back, when there is some again or nobody overdraws; at once when that
// is so already. f must not block.
func (b *Budget) WhenFree(f func()) {
	b.mu.Lock()
	b.waiting = append(b.waiting, f)
	b.waiters.Add(1)
	b.mu.Unlock()
	if !b.Short() || !b.overdrawn.Load() {
		b.wake()
	}
}

func (b *Budget) wake() {
	if b.waiters.Load() == 0 {
		return
	}
	b.mu.Lock()
	wake := b.waiting
	b.waiting = nil
	b.waiters.Store(0)
	b.mu.Unlock()
	for _, f := range wake {
		f()
	}
}
