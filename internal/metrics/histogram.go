package metrics

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// histogram counts durations in buckets that are an eighth of a power of two wide, from one microsecond to over an hour.
// From them come fixed bounds for Prometheus and quantiles for Kafka's boards; a quantile is off by at most an eighth.
type histogram struct {
	buckets [bucketCount]atomic.Uint64
	nanos   atomic.Uint64 // sum
}

const (
	bucketBits  = 3 // an octave has 8 buckets
	octaves     = 32
	bucketCount = octaves << bucketBits
)

// observe counts one duration; a negative one, which a stage that never was could yield, is zero.
func (h *histogram) observe(d time.Duration) {
	d = max(d, 0)
	h.buckets[bucketOf(uint64(d/time.Microsecond))].Add(1)
	h.nanos.Add(uint64(d))
}

// bucketOf finds the bucket of a number of microseconds. The first 16 numbers have a bucket each.
func bucketOf(micros uint64) int {
	if micros < 2<<bucketBits {
		return int(micros)
	}
	octave := bits.Len64(micros) - bucketBits - 1
	return min(octave<<bucketBits+int(micros>>octave), bucketCount-1)
}

// bucketStart is the smallest number of microseconds in a bucket.
func bucketStart(i int) uint64 {
	if i < 2<<bucketBits {
		return uint64(i)
	}
	octave := i>>bucketBits - 1
	return uint64(i&(1<<bucketBits-1)|1<<bucketBits) << octave
}

// counts is a histogram at a moment.
type counts struct {
	buckets [bucketCount]uint64
	total   uint64
	sum     time.Duration
}

// read takes the counts. Events may come in between; the total is that of the buckets, as Prometheus wants it.
func (h *histogram) read() *counts {
	c := &counts{sum: time.Duration(h.nanos.Load())}
	for i := range h.buckets {
		c.buckets[i] = h.buckets[i].Load()
		c.total += c.buckets[i]
	}
	return c
}

// since returns what came after before, which may be nil.
func (c *counts) since(before *counts) *counts {
	if before == nil {
		return c
	}
	d := &counts{total: c.total - before.total, sum: c.sum - before.sum}
	for i := range c.buckets {
		d.buckets[i] = c.buckets[i] - before.buckets[i]
	}
	return d
}

// below returns how many durations were at most the bound, where the bound is the start of a bucket.
func (c *counts) below(bound time.Duration) uint64 {
	var n uint64
	for i := range bucketOf(uint64(bound / time.Microsecond)) {
		n += c.buckets[i]
	}
	return n
}

// quantile estimates a quantile, zero when there was nothing.
func (c *counts) quantile(q float64) time.Duration {
	if c.total == 0 {
		return 0
	}
	rank := min(uint64(q*float64(c.total)), c.total-1)
	for i, n := range c.buckets {
		if rank < n {
			from, to := bucketStart(i), bucketStart(i+1)
			micros := float64(from) + float64(to-from)*(float64(rank)+0.5)/float64(n)
			return time.Duration(micros * float64(time.Microsecond))
		}
		rank -= n
	}
	return 0
}

// bounds are the upper ends of the buckets that Prometheus sees, each the start of one of ours: powers of two from 64
// microseconds to 67 seconds.
func bounds() []time.Duration {
	var out []time.Duration
	for micros := 64; micros < 100_000_000; micros *= 2 {
		out = append(out, time.Duration(micros)*time.Microsecond)
	}
	return out
}
