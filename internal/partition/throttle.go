package partition

import (
	"slices"
	"sync"
	"time"

	"github.com/milena-io/milena/internal/kafka"
)

// Rate bounds what replication of throttled replicas takes together on one side of a broker, as Apache Kafka's
// ReplicationQuotaManager measures it: the mean over the last windows, which a burst may exceed and is then made up for by a pause.
type Rate struct {
	mu     sync.Mutex
	limit  int64 // bytes a second
	window time.Duration
	slots  []slot // ascending
	most   int
}

// slot is what was taken in one window.
type slot struct {
	began time.Duration
	bytes int64
}

// NewRate makes one without a limit; it remembers so many windows (replication.quota.window.num and .size.seconds).
func NewRate(windows int, window time.Duration) *Rate {
	return &Rate{limit: 1<<63 - 1, window: window, most: max(windows, 1)}
}

// Limit sets the bytes a second.
func (r *Rate) Limit(bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.limit = bytes
}

// Take counts bytes.
func (r *Rate) Take(now time.Duration, bytes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(now)
	if n := len(r.slots); n == 0 || now-r.slots[n-1].began >= r.window {
		r.slots = append(r.slots, slot{began: now})
	}
	r.slots[len(r.slots)-1].bytes += int64(bytes)
}

// Exceeded reports whether the mean is above the limit.
func (r *Rate) Exceeded(now time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(now)
	if len(r.slots) == 0 {
		return false
	}
	sum := int64(0)
	for _, s := range r.slots {
		sum += s.bytes
	}
	elapsed := max(now-r.slots[0].began, r.window)
	return float64(sum) > float64(r.limit)*elapsed.Seconds()
}

// forget drops the windows that are over. Called with the mutex held.
func (r *Rate) forget(now time.Duration) {
	n := 0
	for n < len(r.slots) && now-r.slots[n].began >= time.Duration(r.most)*r.window {
		n++
	}
	r.slots = r.slots[:copy(r.slots, r.slots[n:])]
}

// Throttle says which partitions of a topic count against a rate: leader.replication.throttled.replicas, or the followers'.
type Throttle struct {
	Rate    *Rate
	All     bool
	Numbers []int32
}

// of returns the rate that a partition counts against, nil for none.
func (t *Throttle) of(number int32) *Rate {
	if t.All || slices.Contains(t.Numbers, number) {
		return t.Rate
	}
	return nil
}

// throttles reports whether records for a replica have to wait: it is throttled, and too much was taken. Who is in sync is held up by
// nobody: it would leave the ISR (KIP-73). Called with the mutex held.
func (p *Partition) throttles(t *Throttle, node kafka.NodeID) bool {
	r := t.of(p.name.Partition)
	if r == nil || slices.Contains(p.reg.ISR, node) {
		return false
	}
	return r.Exceeded(p.at().World.Now().Mono)
}

// Throttled reports whether a follower had better not ask for records now.
func (f Following) Throttled() bool {
	p := f.p
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.throttles(&p.cfg.Throttles.Follower, p.at().Self)
}
