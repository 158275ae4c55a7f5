package quorum

import (
	"github.com/milena-io/milena/internal/kafka"
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
	q.mu.Lock()
	store := q.engine.store
	c := Committed{End: q.committed}
	if from < store.pos.start {
		ref := store.snap
		q.mu.Unlock()
		var err error
		c.Snapshot, err = ref.open(q.o.FS, q.o.Dir)
		return c, err
	}
	if from >= c.End {
		q.mu.Unlock()
		return c, nil
	}
	if lo, ok := store.pos.indexOf(from); ok {
		hi, _ := store.pos.indexOf(c.End)
		if part, ok := store.tail.from(lo, hi); ok {
			defer q.mu.Unlock()
			size := 0
			for _, e := range part {
				b, err := batchOf(e)
				if err != nil {
					return c, err
				}
				if size += len(b); size > maxBytes && len(c.Batches) > 0 {
					break
				}
				c.Batches = append(c.Batches, b)
			}
			return c, nil
		}
	}
	q.mu.Unlock()
	b, err := store.log.Read(from, maxBytes)
	for err == nil && len(b) > 0 {
		var batch record.Batch
		if batch, b, err = record.Next(b); err == nil {
			if batch.BaseOffset() >= c.End {
				break
			}
			c.Batches = append(c.Batches, batch)
		}
	}
	return c, err
}

// watchers is who wants to know that more is committed.
type watchers struct {
	lastID int
	list   []watcher
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
}
