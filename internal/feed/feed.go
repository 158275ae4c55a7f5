// Package feed makes the image of the cluster from the committed metadata log, on every node, whether it votes or not.
//
// node starts one and hands it the quorum to pull from; handlers read Image; the quorum waits for it before it answers
// (read your writes). It decides nothing and writes nothing.
//
// Invariants: an image holds only committed records; images are published one at a time, in the order of the log, and
// everybody who waits for an offset is called after the publication that covers it; no continuation runs with the
// mutex held. To publish may take as long as a disk does, so it holds up nobody who tells of an advance or waits for one.
package feed

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/quorum"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/staterecord"
)

// Source is where committed metadata comes from; *quorum.Quorum is one.
type Source interface {
	// Committed returns a snapshot, or batches from an offset on.
	Committed(from kafka.Offset, maxBytes int) (quorum.Committed, error)
	// Watch calls f after each advance.
	Watch(f func()) (cancel func())
}

// pullBytes is how much is taken from the source at once.
const pullBytes = 4 << 20

// Feed follows the metadata log of one node.
type Feed struct {
	run     func(func())
	publish func(image.Delta)
	failed  func(error)
	source  Source
	now     atomic.Pointer[image.Image]

	mu      sync.Mutex
	next    kafka.Offset // NoOffset until a snapshot was read
	pulling bool
	again   bool
	stopped bool
	cancel  func()
	waiting []waiter // in the order they came
	ended   []func() // to be called when nothing is published any more
}

type waiter struct {
	end  kafka.Offset
	done func()
}

// New makes a feed. It works where run runs it (World.Go): publish is called there with each change, before anybody who waits for it;
// failed is called once when the log cannot be read or understood, and nothing more is published then.
func New(run func(func()), publish func(image.Delta), failed func(error)) *Feed {
	f := &Feed{run: run, publish: publish, failed: failed, next: kafka.NoOffset}
	f.now.Store(image.Empty())
	return f
}

// Start reads what is committed and follows the source from there.
func (f *Feed) Start(source Source) {
	f.mu.Lock()
	f.source = source
	f.mu.Unlock()
	cancel := source.Watch(f.pull)
	f.mu.Lock()
	f.cancel = cancel
	f.mu.Unlock()
	f.pull()
}

// Stop ends the feed. Who still waits is never called; their requests end with the node. What is being published is not waited for.
func (f *Feed) Stop() { f.StopAnd(func() {}) }

// StopAnd is Stop; done is called once nothing is being published any more.
func (f *Feed) StopAnd(done func()) {
	f.mu.Lock()
	publishing := f.pulling
	if publishing {
		f.ended = append(f.ended, done)
	}
	f.stopped = true
	cancel := f.cancel
	f.cancel = nil
	f.mu.Unlock()
	if cancel != nil {
		cancel()
	}
	if !publishing {
		done()
	}
}

// Image returns the newest image that was published and acted on; what an open metadata transaction changed is not in it.
func (f *Feed) Image() *image.Image { return f.now.Load().Visible() }

// Offset returns the last offset of the metadata log that was applied here, -1 before the first.
func (f *Feed) Offset() kafka.Offset { return f.now.Load().Offset() }

// WaitFor calls done once everything below the offset was published; before it returns where that is so already.
func (f *Feed) WaitFor(end kafka.Offset, done func()) {
	f.mu.Lock()
	if f.now.Load().Offset()+1 >= end {
		f.mu.Unlock()
		done()
		return
	}
	f.waiting = append(f.waiting, waiter{end, done})
	f.mu.Unlock()
	f.pull()
}

// pull has what there is taken. One at a time does that; who comes meanwhile leaves a note.
func (f *Feed) pull() {
	f.mu.Lock()
	f.again = true
	begins := !f.pulling && !f.stopped && f.source != nil
	f.pulling = f.pulling || begins
	f.mu.Unlock()
	if begins {
		f.run(f.take)
	}
}

// take publishes until there is nothing more.
func (f *Feed) take() {
	var failed error
	f.mu.Lock()
	for more := false; (more || f.again) && !f.stopped; {
		f.again = false
		f.mu.Unlock()
		var err error
		more, err = f.step()
		f.mu.Lock()
		if err != nil && !f.stopped { // what was closed after the feed can't be read
			f.stopped, failed = true, err
		}
	}
	f.pulling = false
	ended := f.ended
	f.ended = nil
	f.mu.Unlock()
	if failed != nil {
		f.failed(failed)
	}
	for _, done := range ended {
		done()
	}
}

// step takes one portion, publishes it and calls who waited for it.
func (f *Feed) step() (more bool, err error) {
	got, err := f.source.Committed(f.next, pullBytes)
	if err != nil {
		return false, err
	}
	from := f.now.Load()
	at := f.next
	b := from.Edit()
	position := from.Position()
	if s := got.Snapshot; s != nil {
		b = image.Empty().Edit()
		err = errors.Join(s.Each(b.Apply), s.Close())
		at, position = s.End, image.Position{Offset: s.End - 1, Epoch: s.Epoch}
	}
	for _, batch := range got.Batches {
		if err == nil && !batch.IsControl() {
			err = apply(b, batch)
		}
		at, position = batch.NextOffset(), image.Position{Offset: batch.LastOffset(), Epoch: batch.LeaderEpoch(), TimestampMs: batch.MaxTimestamp()}
	}
	if err != nil || at == f.next {
		return false, err
	}
	to := b.Build(position)
	f.publish(image.DeltaOf(from.Visible(), to.Visible()))
	f.now.Store(to)
	f.next = at
	f.release(at)
	return at < got.End || got.Snapshot != nil, nil
}

func apply(b *image.Builder, batch record.Batch) error {
	return batch.Each(record.Limits{}, func(r *record.Record) error {
		rec, err := staterecord.Decode(r.Value)
		if err != nil {
			return err
		}
		return b.Apply(rec)
	})
}

// release calls those whose offset was reached, in the order they came.
func (f *Feed) release(reached kafka.Offset) {
	f.mu.Lock()
	var due []func()
	kept := f.waiting[:0]
	for _, w := range f.waiting {
		if w.end <= reached {
			due = append(due, w.done)
		} else {
			kept = append(kept, w)
		}
	}
	clear(f.waiting[len(kept):])
	f.waiting = kept
	f.mu.Unlock()
	for _, done := range due {
		done()
	}
}
