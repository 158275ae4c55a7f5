package quorum

import (
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/mutant"
	"github.com/milena-io/milena/internal/record"
)

// Committed is an answer to a feed: a snapshot to begin with, or batches to go on with.
type Committed struct {
	Snapshot *Snapshot      // when set: close it after use, and go on at its End
	Batches  []record.Batch // whole, adjacent; none when the feed has everything
	End      kafka.Offset   // the high watermark
}

// Committed returns what is committed from the offset on, about maxBytes of it. A feed that has nothing (NoOffset), or
// is behind the log's start, gets the newest snapshot.
func (q *Quorum) Committed(from kafka.Offset, maxBytes int) (Committed, error) {
	for {
		c, snap, err := q.committedOnce(from, maxBytes)
		q.mu.Lock()
		replaced := q.engine.store.snap.offset != snap // while it, or the log after it, was read without the mutex
		q.mu.Unlock()
		if err == nil || !replaced {
			return c, err
		}
	}
}

func (q *Quorum) committedOnce(from kafka.Offset, maxBytes int) (Committed, kafka.Offset, error) {
	q.mu.Lock()
	store := q.engine.store
	c, snap := Committed{End: q.committed}, store.snap.offset
	if mutant.On(mutant.UncommittedMetadata) {
		c.End = store.pos.end()
	}
	if from < store.pos.start {
		ref := store.snap
		q.mu.Unlock()
		var err error
		c.Snapshot, err = ref.open(q.o.FS, q.o.Dir)
		return c, snap, err
	}
	if from >= c.End {
		q.mu.Unlock()
		return c, snap, nil
	}
	if lo, ok := store.pos.indexOf(from); ok {
		hi, _ := store.pos.indexOf(c.End)
		if part, ok := store.tail.from(lo, hi); ok {
			defer q.mu.Unlock()
			size := 0
			for _, e := range part {
				b, err := batchOf(e)
				if err != nil {
					return c, snap, err
				}
				if size += len(b); size > maxBytes && len(c.Batches) > 0 {
					break
				}
				c.Batches = append(c.Batches, b)
			}
			return c, snap, nil
		}
	}
	q.mu.Unlock()
	var err error
	c.Batches, err = committedFrom(store.log, from, c.End, maxBytes)
	return c, snap, err
}

// committedFrom reads the log below an offset.
func committedFrom(l Log, from, end kafka.Offset, maxBytes int) (out []record.Batch, err error) {
	b, err := l.Read(from, maxBytes)
	for err == nil && len(b) > 0 {
		var batch record.Batch
		if batch, b, err = record.Next(b); err == nil {
			if batch.BaseOffset() >= end {
				break
			}
			out = append(out, batch)
		}
	}
	return out, err
}

// watchers is who wants to know that more is committed.
type watchers struct {
	lastID int
	list   []watcher
	pulls  pulls
}

type watcher struct {
	id int
	f  func()
}

// Watch calls f after each advance of what is committed; several advances may be one call. cancel ends it.
func (q *Quorum) Watch(f func()) (cancel func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.watch.lastID++
	id := q.watch.lastID
	q.watch.list = append(q.watch.list, watcher{id, f})
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		kept := q.watch.list[:0:0]
		for _, w := range q.watch.list {
			if w.id != id {
				kept = append(kept, w)
			}
		}
		q.watch.list = kept
	}
}

func (w *watchers) wake(q *Quorum) {
	for _, x := range w.list {
		q.later(x.f)
	}
	w.pulls.wake(q)
}
