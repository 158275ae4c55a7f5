package cli

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// tailReader is a consumer that keeps up with the producers of a measurement.
type tailReader struct {
	client   *kgo.Client
	meter    *meter
	stamps   *stamps
	written  <-chan struct{} // closed when nothing more is written
	patience time.Duration   // how long it waits for a record that was acknowledged
}

// run reads until everything that was acknowledged is there.
func (r *tailReader) run(ctx context.Context) {
	read, last := int64(0), time.Now()
	for ctx.Err() == nil {
		select {
		case <-r.written:
			missing := r.stamps.acked.Load() - read
			if missing <= 0 {
				return
			}
			if time.Since(last) > r.patience {
				r.meter.failed(failed("RECORDS_MISSING", "%s acknowledged and not read within %s", plural(missing, "record"), duration(r.patience)))
				return
			}
		default:
		}
		for rec := range poll(ctx, r.client, r.meter) {
			if due, ours := r.stamps.due(rec.Value); ours {
				r.meter.did(due, 1, int64(len(rec.Key)+len(rec.Value)))
				read, last = read+1, time.Now()
			}
		}
	}
}

// poll yields the records of one answer; a refusal is counted and ends the client's reading.
func poll(ctx context.Context, c *kgo.Client, m *meter) func(func(*kgo.Record) bool) {
	within, cancel := context.WithTimeout(ctx, 250*time.Millisecond)
	defer cancel()
	fetches := c.PollFetches(within)
	for _, e := range fetches.Errors() {
		if !errors.Is(e.Err, context.DeadlineExceeded) && !errors.Is(e.Err, context.Canceled) {
			m.failed(e.Err)
		}
	}
	return func(yield func(*kgo.Record) bool) {
		for it := fetches.RecordIter(); !it.Done(); {
			if !yield(it.Next()) {
				return
			}
		}
	}
}

// laggingReader is a consumer that is far behind: it reads the old records of a topic from start to end, and again.
type laggingReader struct {
	client *kgo.Client
	meter  *meter
	topic  string
	from   map[int32]int64
	bounds map[int32]int64
}

func (r *laggingReader) run(ctx context.Context) {
	left := r.lap()
	for ctx.Err() == nil {
		now, came := time.Now(), false
		for rec := range poll(ctx, r.client, r.meter) {
			came = true
			if bound := r.bounds[rec.Partition]; rec.Offset < bound {
				r.meter.count(now, 1, int64(len(rec.Key)+len(rec.Value)))
			} else {
				delete(left, rec.Partition)
			}
			if rec.Offset == r.bounds[rec.Partition]-1 {
				delete(left, rec.Partition)
			}
		}
		if len(left) == 0 || !came { // nothing came: the last offsets have no readable record
			left = r.lap()
			back := map[int32]kgo.EpochOffset{}
			for partition := range left {
				back[partition] = kgo.EpochOffset{Epoch: -1, Offset: r.from[partition]}
			}
			r.client.SetOffsets(map[string]map[int32]kgo.EpochOffset{r.topic: back})
		}
	}
}

// lap lists the partitions that have something to read.
func (r *laggingReader) lap() map[int32]bool {
	left := map[int32]bool{}
	for partition, bound := range r.bounds {
		if bound > r.from[partition] {
			left[partition] = true
		}
	}
	return left
}
