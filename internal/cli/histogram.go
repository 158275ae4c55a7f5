package cli

import (
	"math"
	"math/bits"
	"sync"
	"time"
)

// subBits is how many bits of a latency's mantissa are kept: 7 make every answer right within one percent.
const subBits = 7

// histogram counts latencies in buckets that grow with them, from a nanosecond to two hours, in a fixed size.
type histogram struct {
	mu     sync.Mutex
	counts [(44 - subBits) << subBits]uint32
	n      int64
	sum    time.Duration
	max    time.Duration
}

// bucket is the place of a latency: latencies below 2^subBits ns have one each, each power of two above has 2^subBits.
func bucket(d time.Duration) int {
	v := uint64(max(d, 0))
	if v < 1<<subBits {
		return int(v)
	}
	shift := bits.Len64(v) - subBits - 1
	return min((shift+1)<<subBits+int(v>>shift)-1<<subBits, (44-subBits)<<subBits-1)
}

// upper is the largest latency of a bucket.
func upper(i int) time.Duration {
	if i < 1<<subBits {
		return time.Duration(i)
	}
	shift := i>>subBits - 1
	return time.Duration((uint64(i&(1<<subBits-1))+1<<subBits+1)<<shift - 1)
}

func (h *histogram) add(d time.Duration) {
	i := bucket(d)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.counts[i]++
	h.n++
	h.sum += d
	h.max = max(h.max, d)
}

// merge adds what another histogram counted.
func (h *histogram) merge(o *histogram) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, n := range &o.counts {
		h.counts[i] += n
	}
	h.n += o.n
	h.sum += o.sum
	h.max = max(h.max, o.max)
}

// quantile is the latency that a part of all stayed below or at.
func (h *histogram) quantile(part float64) time.Duration {
	if h.n == 0 {
		return 0
	}
	rank := max(int64(part*float64(h.n)+0.999999), 1)
	for i, n := range &h.counts {
		if rank -= int64(n); rank <= 0 {
			return min(upper(i), h.max)
		}
	}
	return h.max
}

// latencyDoc is a histogram's summary in JSON, milliseconds.
type latencyDoc struct {
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p99_9"`
	P9999 float64 `json:"p99_99"`
	Max   float64 `json:"max"`
	Mean  float64 `json:"mean"`
}

func (h *histogram) summary() latencyDoc {
	ms := milliseconds
	d := latencyDoc{P50: ms(h.quantile(0.5)), P90: ms(h.quantile(0.9)), P99: ms(h.quantile(0.99)), P999: ms(h.quantile(0.999)), P9999: ms(h.quantile(0.9999)), Max: ms(h.max)}
	if h.n > 0 {
		d.Mean = ms(h.sum / time.Duration(h.n))
	}
	return d
}

// since is what was counted after an earlier state of the same histogram. Its largest is that of a bucket.
func (h *histogram) since(earlier *histogram) *histogram {
	d := &histogram{n: h.n - earlier.n, sum: h.sum - earlier.sum}
	for i := range &h.counts {
		if d.counts[i] = h.counts[i] - earlier.counts[i]; d.counts[i] > 0 {
			d.max = min(upper(i), h.max)
		}
	}
	return d
}

// curvePoint is one point of the curve of percentiles.
type curvePoint struct {
	Percentile float64 `json:"percentile"`
	Ms         float64 `json:"ms"`
}

// curve is the latency at each percentile from the median to where a single measurement decides, four for each halving of
// what is left.
func (h *histogram) curve() []curvePoint {
	out := []curvePoint{}
	for k := 4; h.n > 0; k++ {
		left := math.Pow(0.5, float64(k)/4)
		if left*float64(h.n) < 1 {
			return append(out, curvePoint{100, milliseconds(h.max)})
		}
		out = append(out, curvePoint{100 * (1 - left), milliseconds(h.quantile(1 - left))})
	}
	return out
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
