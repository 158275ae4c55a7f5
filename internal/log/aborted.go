package log

import (
	"cmp"
	"slices"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/producer"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/record"
)

// AbortedTxn is an aborted transaction as Fetch reports it.
type AbortedTxn = segment.Aborted

// ProducerState is what DescribeProducers reports.
type ProducerState = producer.Entry

// AbortedTransactions returns the aborted transactions with records in [from, upper), ascending by first offset, as a
// read_committed reader of that range needs them; not nil when there are none.
func (l *Log) AbortedTransactions(from, upper kafka.Offset) ([]AbortedTxn, error) {
	out := []AbortedTxn{}
scan:
	for s := l.holding(from); s != nil; s = l.after(s) { // and not a copy of the list, which would be allocated each time
		known, err := l.aborted(s)
		if err != nil {
			return nil, err
		}
		for _, a := range known {
			if a.Last >= from && a.First < upper {
				out = append(out, a)
			}
			if a.LastStable >= upper {
				break scan // every transaction that aborts later began at or after upper
			}
		}
	}
	if len(out) < 2 {
		return out, nil
	}
	slices.SortFunc(out, func(a, b AbortedTxn) int { return cmp.Compare(a.First, b.First) })
	return out, nil
}

// holding returns the segment that an offset belongs to; nil while a log that is being emptied has none.
func (v *view) holding(o kafka.Offset) *segment.Segment {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if len(v.segments) == 0 {
		return nil
	}
	return v.segments[v.floor(o)]
}

// after returns the segment after another one, nil when that is the last.
func (v *view) after(s *segment.Segment) *segment.Segment {
	v.mu.RLock()
	defer v.mu.RUnlock()
	for i := v.floor(s.Base()); i < len(v.segments); i++ {
		if v.segments[i].Base() > s.Base() {
			return v.segments[i]
		}
	}
	return nil
}

// aborted returns a segment's aborted transactions; an index that does not parse is made anew.
func (l *Log) aborted(s *segment.Segment) ([]AbortedTxn, error) {
	known, err := s.Aborted()
	if !fault.IsKind(err, fault.Corrupt) {
		return known, err
	}
	if err := l.rebuildAborted(s); err != nil {
		return nil, err
	}
	return s.Aborted()
}

// rebuildAborted replays producers from the snapshot that the segment begins with, or from the beginning of the log, and
// takes down which transactions the segment's markers abort.
func (l *Log) rebuildAborted(s *segment.Segment) error {
	at := s.Base()
	state, err := l.snapshots.at(at)
	if err != nil {
		return err
	}
	if state == nil {
		state, at = producer.New(), 0
	}
	var found []AbortedTxn
	l.mu.RLock()
	segments := slices.Clone(l.segments)
	l.mu.RUnlock()
	for _, each := range segments {
		if each.Base() < at || each.Base() > s.Base() {
			continue
		}
		l.mu.RLock()
		k, err := each.Look(l.mu.RLocker(), windowFor(each.Size()))
		l.mu.RUnlock()
		if err != nil {
			return err
		}
		err = k.Replay(each.Base(), func(b record.Batch) error {
			ended, did, err := applyProducer(state, b, 0)
			if err == nil && did && ended.Abort && each == s {
				found = append(found, abortedOf(state, ended))
			}
			return err
		})
		k.Release()
		if err != nil {
			return err
		}
	}
	return s.SetAborted(found)
}
