package fetch

import (
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/partition"
)

// result is what one partition said when it was last read.
type result struct {
	records   partition.Records
	err       error
	stale     bool         // to be read
	preferred kafka.NodeID // where the consumer should read instead, NoNode for here
}

// read makes one pass in the session's order, within the request's byte limit, and reports whether the fetch is to be
// answered now. Partitions that had nothing and have not moved since are left as they are.
func (w *pending) read() (enough bool) {
	bytes, left := 0, w.ask.maxBytes
	for i := range w.results {
		r := &w.results[i]
		if i < len(w.watched) && w.watched[i].moved.Swap(false) {
			r.stale = true
		}
		if r.stale || r.records.Slice.Len > 0 {
			w.readOne(i, left, bytes == 0)
		}
		n := int(r.records.Slice.Len)
		bytes += n
		left = max(left-n, 0)
		enough = enough || r.err != nil || r.records.Diverging != nil || r.preferred != kafka.NoNode || w.behind(i)
	}
	w.from.noted = true
	return enough || bytes >= w.ask.minBytes
}

func (w *pending) readOne(i, left int, minOne bool) {
	p, r := &w.partitions[i], &w.results[i]
	*r = result{preferred: kafka.NoNode}
	found, err := w.find(&p.Key)
	switch {
	case err != nil:
		r.err = err
	case w.from.refused != nil:
		r.err = w.from.refused
	case w.from.replica != kafka.NoNode:
		r.records, r.err = w.replicate(found, p, min(int(p.MaxBytes), left), minOne)
	default:
		if r.preferred = w.prefer(found, p.FetchOffset); r.preferred != kafka.NoNode {
			left, minOne = 0, false
		}
		r.records, r.err = found.Read(partition.Read{
			From: p.FetchOffset, MaxBytes: min(int(p.MaxBytes), left), MinOne: minOne,
			Committed: w.ask.committed, CurrentEpoch: p.CurrentEpoch, LastEpoch: p.LastFetchedEpoch, AnyReplica: w.ask.anyReplica,
		})
	}
}

// release lets the files go of what was read and is not answered with.
func (w *pending) release() {
	for i := range w.results {
		w.results[i].records.Slice.Release()
	}
}
