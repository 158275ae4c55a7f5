package listen

import (
	"log/slog"
	"sync"
	"time"

	"github.com/milena-io/milena/internal/world"
)

// RateLimited is a logger for lines that a client can provoke: of each kind one line an interval is written, and it
// tells how many were left out before it. Kinds are words of ours, never input, so that there are few.
type RateLimited struct {
	logger   *slog.Logger
	world    world.World
	interval time.Duration

	mu    sync.Mutex
	kinds map[string]*limitedKind
}

type limitedKind struct {
	next    time.Duration // on the monotonic clock: before it nothing is written
	skipped int
}

// NewRateLimited writes at most one line of a kind an interval.
func NewRateLimited(logger *slog.Logger, w world.World, interval time.Duration) *RateLimited {
	return &RateLimited{logger: logger, world: w, interval: interval, kinds: map[string]*limitedKind{}}
}

// Warn writes a warning of a kind, or counts it.
func (r *RateLimited) Warn(kind, message string, args ...any) {
	now := r.world.Now().Mono
	r.mu.Lock()
	k := r.kinds[kind]
	if k == nil {
		k = &limitedKind{}
		r.kinds[kind] = k
	}
	if now < k.next {
		k.skipped++
		r.mu.Unlock()
		return
	}
	skipped := k.skipped
	k.skipped, k.next = 0, now+r.interval
	r.mu.Unlock()
	if skipped > 0 {
		args = append(args, "similar_suppressed", skipped)
	}
	r.logger.Warn(message, args...)
}
