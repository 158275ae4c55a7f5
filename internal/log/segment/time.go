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
	if err == nil && k.size > 0 {
		err = k.isLargest(e)
	}
	if err == nil {
		k.seg.stamp.CompareAndSwap(nil, &e)
		return e, nil
	}
	if !fault.IsKind(err, fault.Corrupt) {
		return NoStamp, err
	}
	if err := k.RebuildIndexes(); err != nil {
		return NoStamp, err
	}
	return *k.seg.stamp.Load(), nil
}

// FirstTimestamp returns the largest timestamp of the first batch, -1 for none.
func (k *Look) FirstTimestamp() (int64, error) {
	w := NewWalker(k.file, 0, k.size, k.window)
	b, _, err := w.Header()
	if errors.Is(err, io.EOF) {
		return -1, nil
	}
	if err != nil {
		return -1, err
	}
	return b.MaxTimestamp(), nil
}

// isLargest reports as corruption that the last time entry cannot be the largest: there is none, or the newest batches,
// those after the last offset entry, are newer than it says, so that the file must have been cut.
func (k *Look) isLargest(e Stamp) error {
	const op = "segment.Largest"
	if e == NoStamp {
		// A log without any timestamp has an empty time index; so has one that lost it. Only a rebuild tells.
		return fault.Corruption(op, "empty time index")
	}
	from, _, err := k.seg.sealedFloor(k.size, func(OffsetEntry) bool { return true })
	if err != nil {
		return err
	}
	for w := k.walker(from.pos); ; {
		b, _, err := w.Header()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if b.Count() > 0 && b.MaxTimestamp() > e.Timestamp {
			return fault.Corruption(op, "%s ends at %d, a batch has %d", k.seg.Path(TimeIndexSuffix), e.Timestamp, b.MaxTimestamp())
		}
	}
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
	for w := k.walker(at.pos); ; {
		pos := w.Pos()
		b, _, err := w.Header()
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if b.MaxTimestamp() < ts || b.LastOffset() < from || b.Count() == 0 {
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
		e, found := m.timeFloor(ts)
		k.lock.Unlock()
		if !found {
			return k.seg.base, nil
		}
		return k.activeTimeStart(e)
	}
	k.lock.Unlock()
	e, err := k.sealedTimeFloor(ts)
	if fault.IsKind(err, fault.Corrupt) {
		if err := k.RebuildIndexes(); fault.IsKind(err, fault.Corrupt) {
			return k.seg.base, nil
		} else if err != nil {
			return 0, err
		}
		e, err = k.sealedTimeFloor(ts)
	}
	return max(e.Offset, k.seg.base), err
}

// activeTimeStart believes an entry in memory, which may have come from a file, only where it is its batch's; otherwise
// everything is scanned.
func (k *Look) activeTimeStart(e TimeEntry) (kafka.Offset, error) {
	o := k.seg.base + kafka.Offset(e.Rel)
	at, err := k.find(o)
	if err == nil {
		err = k.isTimeOf(e, at.pos)
	}
	if fault.IsKind(err, fault.Corrupt) {
		return k.seg.base, nil
	}
	return o, err
}

// sealedTimeFloor returns the last entry at or below ts of the time index file, after comparing it with its batch.
func (k *Look) sealedTimeFloor(ts int64) (Stamp, error) {
	b, err := lastWhere(k.seg.fs, k.seg.Path(TimeIndexSuffix), TimeEntrySize, func(b []byte) bool {
		return parseTimeEntry(b).Timestamp <= ts
	})
	if k.seg.file.retired() { // compacted beside the reader: every batch may be old enough
		return NoStamp, nil
	}
	if b == nil || err != nil {
		return NoStamp, err
	}
	e := parseTimeEntry(b)
	stamp := Stamp{e.Timestamp, k.seg.base + kafka.Offset(e.Rel)}
	at, err := k.find(stamp.Offset)
	if err != nil {
		return NoStamp, err
	}
	if err := k.isTimeOf(e, at.pos); err != nil {
		return NoStamp, err
	}
	return stamp, nil
}
