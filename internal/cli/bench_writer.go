package cli

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// benchWriter is one producer of a measurement. Of n producers, the i-th writes the records i, i+n, i+2n…
type benchWriter struct {
	client *kgo.Client
	meter  *meter
	values fill
	s      benchProduce
	index  int64
	stamp  *stamps // marks values with when they were due; nil leaves them as they are
}

// run writes until all is written that has a number or was due in the time of the trial, however late that is, and then
// waits for what is not acknowledged yet.
func (w *benchWriter) run(ctx context.Context, t trial) {
	began := w.meter.from.Add(-t.warmup)
	step := int64(w.s.Producers)
	for i := w.index; (i < w.s.Number || w.s.Number == 0) && ctx.Err() == nil; i += step {
		due := time.Now()
		if w.s.Rate > 0 {
			due = began.Add(time.Duration(float64(i) / float64(w.s.Rate) * float64(time.Second)))
		}
		if t.duration > 0 && !due.Before(w.meter.from.Add(t.duration)) || w.s.Rate > 0 && !sleepUntil(ctx, due) {
			break
		}
		w.write(ctx, i, due)
	}
	_ = w.client.Flush(ctx) // fails only by the interrupt, which ends the command
}

func (w *benchWriter) write(ctx context.Context, i int64, due time.Time) {
	r := &kgo.Record{Value: w.values.at(i)}
	if w.stamp != nil {
		r.Value = w.stamp.mark(r.Value, due)
	}
	if w.s.Keys > 0 {
		r.Key = fmt.Appendf(nil, "key-%012d", i%w.s.Keys)
	}
	n := int64(len(r.Key) + len(r.Value))
	w.client.Produce(ctx, r, func(_ *kgo.Record, err error) {
		if err != nil {
			if ctx.Err() == nil {
				w.meter.failed(err)
			}
			return
		}
		w.meter.did(due, 1, n)
		if w.stamp != nil {
			w.stamp.acked.Add(1)
		}
	})
}

// sleepUntil waits for a moment; false when the context ended first.
func sleepUntil(ctx context.Context, at time.Time) bool {
	wait := time.Until(at)
	if wait <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// fill is a stretch of content that values are cut from: equal seeds give equal values, and no value costs memory.
type fill struct {
	content []byte
	size    int
}

// fillStretch is how many different places values begin at, a prime.
const fillStretch = 1_048_573

func newFill(kind string, seed uint64, size int) (fill, error) {
	f := fill{content: make([]byte, fillStretch+size), size: size}
	r := rand.New(rand.NewPCG(seed, 0))
	switch kind {
	case "letters":
		for i := range f.content {
			f.content[i] = 'A' + byte(r.IntN(26))
		}
	case "random":
		for i := range f.content {
			f.content[i] = byte(r.Uint32())
		}
	case "zero":
	default:
		return f, usage("--fill %q: letters, random or zero", kind)
	}
	return f, nil
}

func (f fill) at(i int64) []byte {
	from := i * 7919 % fillStretch
	return f.content[from : from+int64(f.size) : from+int64(f.size)]
}
