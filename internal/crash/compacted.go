package crash

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/log/producer"
	"github.com/milena-io/milena/internal/record"
)

// What compaction takes away is not missed by a reader: of each key the last record that counts is there, where it was, a
// tombstone for a time. Which that is is worked out here from all batches that ever were, without a map or a plan.

// seen is a record as a reader of committed records gets it.
type seen struct {
	offset     kafka.Offset
	key, value []byte
	ms         int64
}

// committed lists the records of batches outside the transactions that aborted are, from an offset to below another.
func committed(batches []record.Batch, aborted []log.AbortedTxn, from, below kafka.Offset) (out []seen, err error) {
	for _, b := range batches {
		if b.IsControl() || b.IsTransactional() && slices.ContainsFunc(aborted, func(a log.AbortedTxn) bool {
			return a.Producer == b.ProducerID() && a.First <= b.BaseOffset() && b.LastOffset() <= a.Last
		}) {
			continue
		}
		err = b.Each(record.Limits{}, func(r *record.Record) error {
			if r.Offset >= from && r.Offset < below {
				out = append(out, seen{r.Offset, bytes.Clone(r.Key), bytes.Clone(r.Value), r.TimestampMs})
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s seen) same(o seen) bool {
	return s.offset == o.offset && s.ms == o.ms && bytes.Equal(s.key, o.key) && bytes.Equal(s.value, o.value) && (s.value == nil) == (o.value == nil)
}

// keepsTheLast holds the batches of a compacted log against all that ever were (C1 to C4). What counts is below the first
// transaction that is open.
func (m *model) keepsTheLast(nowMs, deleteRetentionMs int64, below kafka.Offset) error {
	f := scan(m.lived)
	for _, p := range f.producers {
		if p.open >= 0 {
			below = min(below, p.open)
		}
	}
	was, err := committed(m.lived, f.aborted, 0, below)
	if err != nil {
		return err
	}
	is, err := committed(m.batches, f.aborted, 0, below)
	if err != nil {
		return err
	}
	last := map[string]seen{}
	for _, s := range was {
		last[string(s.key)] = s
	}
	for i, s := range is {
		if i > 0 && is[i-1].offset >= s.offset {
			return fmt.Errorf("C2 offset %d comes after %d", s.offset, is[i-1].offset)
		}
		if !slices.ContainsFunc(was, s.same) {
			return fmt.Errorf("C2 %q at %d was never written", s.key, s.offset)
		}
	}
	for _, s := range was {
		if s.offset < m.start {
			continue // deleted, and by nobody's compaction
		}
		gone := !slices.ContainsFunc(is, s.same)
		if s.offset == last[string(s.key)].offset && gone && (s.value != nil || nowMs-s.ms < deleteRetentionMs) {
			return fmt.Errorf("C1 the last record of %q, at %d, is gone", s.key, s.offset)
		}
	}
	for _, b := range m.lived {
		if b.LastOffset() >= below && !slices.ContainsFunc(m.batches, func(o record.Batch) bool { return bytes.Equal(o, b) }) {
			return fmt.Errorf("C4 the batch at %d, at or after an open transaction, is not what it was", b.BaseOffset())
		}
	}
	return nil
}

// checkCommitted wants a reader of committed records to get those that a linear scan of all batches calls committed.
func checkCommitted(m *model, l *log.Log) error {
	o := l.Offsets()
	have, err := l.AbortedTransactions(o.LogStart, o.End+1)
	if err != nil {
		return err
	}
	got, err := committed(m.batches, have, o.LogStart, o.FirstUnstable)
	if err != nil {
		return err
	}
	want, err := committed(m.batches, scan(m.lived).aborted, o.LogStart, o.FirstUnstable)
	if err == nil && !slices.EqualFunc(got, want, seen.same) {
		err = fmt.Errorf("a reader of committed records gets %d with %+v, not %d", len(got), have, len(want))
	}
	return err
}

// checkCompactedProducers wants every producer to go on where it was: its epoch, its last sequence, its open transaction.
func checkCompactedProducers(m *model, l *log.Log) error {
	f := scan(m.lived)
	entries := l.Producers()
	if len(entries) > len(f.producers) || len(entries) < len(f.producers) && !m.emptied {
		return fmt.Errorf("%d producers, want %d", len(entries), len(f.producers))
	}
	for _, e := range entries {
		p := f.producers[e.ID]
		if p == nil || e.Epoch != p.epoch || e.TxnFirst != p.open {
			return fmt.Errorf("producer %+v, want %+v", e, p)
		}
		if m.emptied && len(e.Batches()) == 0 {
			continue
		}
		if n := len(p.batches); n > 0 && (e.LastSequence() != p.batches[n-1].LastSequence || !slices.ContainsFunc(e.Batches(), func(b producer.Batch) bool {
			b.Timestamp = p.batches[n-1].Timestamp // of the newest record, which compaction may have taken
			return b == p.batches[n-1]
		})) {
			return fmt.Errorf("producer %+v does not know its last batch, %+v", e, p.batches[n-1])
		}
	}
	return nil
}
