package segment

import (
	"errors"
	"io"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
)

// Largest returns the segment's largest timestamp; of a sealed segment it is the last entry of the time index, read and
// compared with its batch once.
func (k *Look) Largest() (Stamp, error) {
	k.lock.Lock()
	if m := k.seg.mem; m != nil {
		stamp := m.stamp
		k.lock.Unlock()
		return stamp, nil
	}
	k.lock.Unlock()
	if stamp := k.seg.stamp.Load(); stamp != nil {
		return *stamp, nil
	}
	e, err := k.sealedTimeFloor(1<<63 - 1)
	if err == nil && e == NoStamp && k.size > 0 {
		// A log without any timestamp has an empty time index; so has one that lost it. Only a rebuild tells.
		err = fault.Corruption("segment.Largest", "empty time index")
	}
	if err == nil {
		k.seg.stamp.CompareAndSwap(nil, &e)
		return e, nil
	}
	if !fault.IsKind(err, fault.Corrupt) {
		return NoStamp, err
	}
	if err := k.seg.RebuildIndexes(k.window); err != nil {
		return NoStamp, err
	}
	return *k.seg.stamp.Load(), nil
}

// BatchAt returns the first batch with a timestamp at or after ts that ends at or after offset from, whole and checked;
// nil when there is none.
func (k *Look) BatchAt(ts int64, from kafka.Offset) (record.Batch, error) {
	begin, err := k.timeStart(ts)
	if err != nil {
		return nil, err
	}
	at, err := k.find(max(begin, from))
	if err != nil {
		return nil, err
	}
	for w := NewWalker(k.file, at.pos, k.size, k.window); ; {
		pos := w.Pos()
		b, _, err := w.Header()
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if b.MaxTimestamp() < ts || b.LastOffset() < from {
			continue
		}
		w = NewWalker(k.file, pos, k.size, k.window)
		whole, err := w.Whole()
		if err == nil {
			err = whole.CheckCRC()
		}
		return whole, err
	}
}

// timeStart returns an offset before which every batch is older than ts.
func (k *Look) timeStart(ts int64) (kafka.Offset, error) {
	k.lock.Lock()
	if m := k.seg.mem; m != nil {
		rel, _ := m.timeFloor(ts)
		k.lock.Unlock()
		return k.seg.base + kafka.Offset(rel), nil
	}
	k.lock.Unlock()
	e, err := k.sealedTimeFloor(ts)
	if fault.IsKind(err, fault.Corrupt) {
		if err := k.seg.RebuildIndexes(k.window); err != nil {
			return 0, err
		}
		e, err = k.sealedTimeFloor(ts)
	}
	return max(e.Offset, k.seg.base), err
}

// sealedTimeFloor returns the last entry at or below ts of the time index file, after comparing it with its batch:
// following an entry with a wrong timestamp would skip records.
func (k *Look) sealedTimeFloor(ts int64) (Stamp, error) {
	b, err := lastWhere(k.seg.fs, k.seg.Path(TimeIndexSuffix), TimeEntrySize, func(b []byte) bool {
		return parseTimeEntry(b).Timestamp <= ts
	})
	if b == nil || err != nil {
		return NoStamp, err
	}
	e := parseTimeEntry(b)
	stamp := Stamp{e.Timestamp, k.seg.base + kafka.Offset(e.Rel)}
	at, err := k.find(stamp.Offset)
	if err != nil {
		return NoStamp, err
	}
	w := NewWalker(k.file, at.pos, k.size, k.window)
	batch, _, err := w.Header()
	if err != nil && !errors.Is(err, io.EOF) {
		return NoStamp, err
	}
	if err != nil || batch.MaxTimestamp() != stamp.Timestamp || batch.BaseOffset() > stamp.Offset {
		return NoStamp, fault.Corruption("segment.timeindex", "%s: entry (%d, %d) is not its batch's",
			k.seg.Path(TimeIndexSuffix), e.Timestamp, stamp.Offset)
	}
	return stamp, nil
}
