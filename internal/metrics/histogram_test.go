package metrics

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestBucketsCoverEverything(t *testing.T) {
	for i := range bucketCount - 1 {
		from, to := bucketStart(i), bucketStart(i+1)
		if from >= to || bucketOf(from) != i || bucketOf(to-1) != i {
			t.Fatalf("bucket %d is %d..%d, and they are in %d and %d", i, from, to, bucketOf(from), bucketOf(to-1))
		}
		if i >= 16 && (to-from)*8 > from {
			t.Fatalf("bucket %d, %d..%d, is wider than an eighth", i, from, to)
		}
	}
	if bucketOf(1<<63) != bucketCount-1 || bucketStart(bucketCount-1) < uint64(time.Hour/time.Microsecond) {
		t.Error("the last bucket doesn't take the rest, or begins within the hour")
	}
	for _, b := range bounds() {
		if micros := uint64(b / time.Microsecond); bucketStart(bucketOf(micros)) != micros {
			t.Errorf("the bound %v is within a bucket", b)
		}
	}
}

// drawn is a list of durations of a random shape, sorted, and their histogram.
func drawn(r *rand.Rand) ([]time.Duration, *histogram) {
	h := &histogram{}
	all := make([]time.Duration, 1+r.IntN(2000))
	scale := time.Duration(1) << (4 + r.IntN(34))
	for i := range all {
		all[i] = time.Duration(r.ExpFloat64() * float64(scale))
		h.observe(all[i])
	}
	slices.Sort(all)
	return all, h
}

func TestQuantilesAreWithinAnEighth(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		all, h := drawn(r)
		c := h.read()
		last := time.Duration(0)
		for _, q := range []float64{0, 0.01, 0.5, 0.75, 0.95, 0.99, 0.999, 1} {
			got := c.quantile(q)
			want := all[min(int(q*float64(len(all))), len(all)-1)]
			if off := max(want/8, time.Microsecond); got < want-off || got > want+off {
				t.Fatalf("quantile %v of %d is %v, want %v", q, len(all), got, want)
			}
			if got < last {
				t.Fatalf("quantile %v is %v, less than the one before, %v", q, got, last)
			}
			last = got
		}
	}
	if (&counts{}).quantile(0.5) != 0 {
		t.Error("the median of nothing is something")
	}
}

func TestBoundsCountWhatIsBelow(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		all, h := drawn(r)
		c := h.read()
		var sum time.Duration
		for _, d := range all {
			sum += d
		}
		if c.total != uint64(len(all)) || c.sum != sum {
			t.Fatalf("%d durations of %v are %d of %v", len(all), sum, c.total, c.sum)
		}
		for _, b := range bounds() {
			want, _ := slices.BinarySearch(all, b)
			if got := c.below(b); got != uint64(want) {
				t.Fatalf("%d are below %v, want %d", got, b, want)
			}
		}
	}
}

func TestSinceIsWhatCameAfter(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	h, later := &histogram{}, &histogram{}
	for range 1000 {
		h.observe(time.Duration(r.Int64N(int64(time.Minute))))
	}
	before := h.read()
	for range 1000 {
		d := time.Duration(r.Int64N(int64(time.Second)))
		h.observe(d)
		later.observe(d)
	}
	if got, want := h.read().since(before), later.read(); *got != *want {
		t.Errorf("%d in %v, want %d in %v", got.total, got.sum, want.total, want.sum)
	}
	if all := h.read(); *all.since(nil) != *all {
		t.Error("since the beginning is not everything")
	}
}

func TestNegativeIsZero(t *testing.T) {
	h := &histogram{}
	h.observe(-time.Second)
	if c := h.read(); c.buckets[0] != 1 || c.sum != 0 {
		t.Errorf("%d in the first bucket, sum %v", c.buckets[0], c.sum)
	}
}
