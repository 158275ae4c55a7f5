package load

import (
	"slices"
	"sync"
	"time"
)

// Clock tells how long partitions were not acknowledging, and how much was acknowledged.
type Clock struct {
	mu     sync.Mutex
	last   []time.Time     // acknowledgement of each partition
	worst  []time.Duration // between two of them, since Open
	opened time.Time
	acks   []int64
	total  int64
	flight int // records that are sent and not acknowledged
}

func newClock(partitions int) *Clock {
	c := &Clock{last: make([]time.Time, partitions), worst: make([]time.Duration, partitions), acks: make([]int64, partitions)}
	for p := range c.last {
		c.last[p] = time.Now()
	}
	return c
}

// acked notes one acknowledgement.
func (c *Clock) acked(p int, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	from := c.last[p]
	if c.opened.After(from) {
		from = c.opened
	}
	c.worst[p] = max(c.worst[p], now.Sub(from))
	c.last[p] = now
	c.acks[p]++
	c.total++
	c.flight--
}

// sends notes records that are sent now, or, below zero, that nobody will acknowledge.
func (c *Clock) sends(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flight += n
}

// AwaitFlight returns when some records are on their way: at once where the load is heavy, and soon where it isn't.
func (c *Clock) AwaitFlight() {
	for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(50 * time.Microsecond) {
		c.mu.Lock()
		n := c.flight
		c.mu.Unlock()
		if n > 0 {
			return
		}
	}
}

// Open begins to measure anew: a fault comes now.
func (c *Clock) Open() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.opened = time.Now()
	clear(c.worst)
}

// Worst is the longest time for which a partition did not acknowledge since Open.
func (c *Clock) Worst() (p int, gap time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, g := range c.worst {
		if g > gap {
			p, gap = i, g
		}
	}
	return p, gap
}

// since is how much was acknowledged since it had been so much, in all and by each partition.
func (c *Clock) since(total int64, each []int64) (all int64, by []int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	by = slices.Clone(c.acks)
	for p := range by {
		by[p] -= each[p]
	}
	return c.total - total, by
}

func (c *Clock) counts() (total int64, acks []int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.total, slices.Clone(c.acks)
}
