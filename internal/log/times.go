package log

import (
	"errors"
	"slices"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/record"
)

// TimestampOffset is a record found by time.
type TimestampOffset struct {
	Offset      kafka.Offset
	TimestampMs int64
	Epoch       kafka.LeaderEpoch // of the record's batch
}

var errFound = errors.New("found") // ends a walk over records

// OffsetForTimestamp returns the first record at or after the log start whose timestamp is ts or later, in offset order;
// false when there is none.
func (v *view) OffsetForTimestamp(ts int64) (TimestampOffset, bool, error) {
	var found TimestampOffset
	ok, err := v.eachSegment(func(k *segment.Look, start kafka.Offset) (bool, error) {
		largest, err := k.Largest()
		if err != nil || largest.Timestamp < ts {
			return false, err
		}
		for from := start; ; {
			b, err := k.BatchAt(ts, from)
			if err != nil || b == nil {
				return false, err
			}
			if found, err = firstAt(b, start, func(r *record.Outline) bool { return r.TimestampMs >= ts }); err != nil {
				return false, err
			}
			if found.Offset >= 0 {
				return true, nil
			}
			from = b.NextOffset() // the record that had it is before the log start, or compacted away
		}
	})
	return found, ok, err
}

// MaxTimestamp returns the first record with the largest timestamp of the log; false for a log without timestamps.
func (v *view) MaxTimestamp() (TimestampOffset, bool, error) {
	best := int64(-1)
	_, err := v.eachSegment(func(k *segment.Look, _ kafka.Offset) (bool, error) {
		largest, err := k.Largest()
		best = max(best, largest.Timestamp)
		return false, err
	})
	if err != nil || best < 0 {
		return TimestampOffset{}, false, err
	}
	if found, ok, err := v.OffsetForTimestamp(best); ok || err != nil {
		return found, ok, err
	}
	// The record that has it lies before the log start, so the rest of the first segment has to be looked through.
	best = -1
	first := true
	_, err = v.eachSegment(func(k *segment.Look, start kafka.Offset) (bool, error) {
		if first {
			first = false
			return false, largestFrom(k, start, &best)
		}
		largest, err := k.Largest()
		best = max(best, largest.Timestamp)
		return false, err
	})
	if err != nil || best < 0 {
		return TimestampOffset{}, false, err
	}
	return v.OffsetForTimestamp(best)
}

// largestFrom raises best to the largest timestamp of a segment's records at or after an offset.
func largestFrom(k *segment.Look, start kafka.Offset, best *int64) error {
	return k.Replay(start, func(b record.Batch) error {
		if b.MaxTimestamp() <= *best || b.Count() == 0 {
			return nil
		}
		if b.BaseOffset() >= start {
			*best = b.MaxTimestamp()
			return nil
		}
		err := b.Scan(record.Limits{}, func(r record.Outline) error {
			if r.Offset >= start {
				*best = max(*best, r.TimestampMs)
			}
			return nil
		})
		if unreadable(err) {
			*best, err = b.MaxTimestamp(), nil
		}
		return err
	})
}

// eachSegment shows every segment from the log start on until visit says stop; it returns what visit said last.
func (v *view) eachSegment(visit func(k *segment.Look, start kafka.Offset) (bool, error)) (bool, error) {
	window := v.headers.Get().(*[]byte)
	defer v.headers.Put(window)
	v.mu.RLock()
	segments := slices.Clone(v.segments[v.floor(v.start):])
	start := v.start
	v.mu.RUnlock()
	for _, s := range segments {
		v.mu.RLock()
		if s.Size() == 0 || !slices.Contains(v.segments, s) {
			v.mu.RUnlock()
			continue // nothing is in it, or it was deleted meanwhile
		}
		k, err := s.Look(v.mu.RLocker(), *window)
		v.mu.RUnlock()
		if err != nil {
			return false, err
		}
		stop, err := visit(&k, start)
		k.Release()
		if stop || err != nil {
			return stop, err
		}
	}
	return false, nil
}

// unreadable reports that a batch with a right checksum does not hold the records that its header says, or too many to
// read: milena.validate=header let its producer write it so. Such a batch is taken at its header's word, which errs on the
// early side, so that one producer's lie hides nothing of the others and no lookup fails for it.
func unreadable(err error) bool {
	return fault.IsKind(err, fault.Corrupt) || fault.CodeOf(err) == kafka.ErrRecordListTooLarge
}

// firstAt returns the first record of a batch at or after an offset that matches; Offset is NoOffset when none does. Of a
// batch that cannot be read it is the first offset, with the batch's largest timestamp.
func firstAt(b record.Batch, from kafka.Offset, match func(*record.Outline) bool) (TimestampOffset, error) {
	found := TimestampOffset{Offset: kafka.NoOffset}
	err := b.Scan(record.Limits{}, func(r record.Outline) error {
		if r.Offset >= from && match(&r) {
			found = TimestampOffset{r.Offset, r.TimestampMs, b.LeaderEpoch()}
			return errFound
		}
		return nil
	})
	if unreadable(err) {
		found = TimestampOffset{max(b.BaseOffset(), from), b.MaxTimestamp(), b.LeaderEpoch()}
	}
	if errors.Is(err, errFound) || unreadable(err) {
		err = nil
	}
	return found, err
}

// EpochAt returns the leader epoch of the record at an offset, -1 when it is not known.
func (l *Log) EpochAt(o kafka.Offset) kafka.LeaderEpoch { return l.epochs.For(o) }
