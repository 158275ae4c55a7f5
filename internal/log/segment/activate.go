package segment

import (
	"errors"
	"io"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
)

// Activate makes a sealed last segment take appends: its indexes come into memory. The caller holds the log's lock.
func (s *Segment) Activate(window []byte) error {
	if s.mem != nil {
		return s.Hold()
	}
	if _, err := s.Aborted(); err != nil {
		return err
	}
	if err := s.Hold(); err != nil {
		return err
	}
	m, err := s.loadIndexes(window)
	if fault.IsKind(err, fault.Corrupt) {
		m = newMemory(s.base) // which makes refill read everything
		err = nil
	}
	if err == nil {
		err = s.refill(m, window)
	}
	if err != nil {
		s.Close()
		return err
	}
	s.mem = m
	return nil
}

// loadIndexes reads the index files and holds the last entry of each against the batch that it names. A file that was
// cut short at an entry passes, but for the time index where the newest batches are newer than it says.
func (s *Segment) loadIndexes(window []byte) (*memory, error) {
	const op = "segment.Activate"
	m := newMemory(s.base)
	offsets, err := checkpoint.Load(s.fs, s.Path(IndexSuffix), s.size)
	if err != nil {
		return nil, err
	}
	if m.offsets, err = ParseOffsetIndex(offsets, s.size); err != nil {
		return nil, err
	}
	times, err := checkpoint.Load(s.fs, s.Path(TimeIndexSuffix), s.size*2)
	if err != nil {
		return nil, err
	}
	if m.times, err = ParseTimeIndex(times); err != nil {
		return nil, err
	}
	if len(m.offsets) == 0 || len(m.times) == 0 {
		return nil, fault.Corruption(op, "%s has empty indexes", s.Path(LogSuffix)) // or is shorter than an entry is worth
	}
	last := m.offsets[len(m.offsets)-1]
	w := s.walker(s.file.file, int64(last.Pos), s.size, window)
	b, _, err := w.Header()
	if err != nil {
		return nil, err
	}
	if b.LastOffset() > s.base+kafka.Offset(last.Rel) || b.BaseOffset() < s.base {
		return nil, fault.Corruption(op, "%s: entry (%d, %d) is not its batch's", s.Path(IndexSuffix), last.Rel, last.Pos)
	}
	k := Look{seg: s, file: s.file.file, size: s.size, next: s.next, window: window}
	stamp := m.times[len(m.times)-1]
	return m, k.checkTime(stamp, m)
}

// checkTime holds a time entry against its batch; following an entry with a wrong timestamp would skip records.
func (k *Look) checkTime(e TimeEntry, m *memory) error {
	o := k.seg.base + kafka.Offset(e.Rel)
	from, _ := m.start(o)
	at, err := k.scan(from.pos, o)
	if err != nil {
		return err
	}
	return k.isTimeOf(e, at.pos)
}

// isTimeOf reports as corruption that a time entry does not belong to the batch at a position.
func (k *Look) isTimeOf(e TimeEntry, pos int64) error {
	o := k.seg.base + kafka.Offset(e.Rel)
	w := k.walker(pos)
	b, _, err := w.Header()
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err != nil || b.MaxTimestamp() != e.Timestamp || b.BaseOffset() > o {
		return fault.Corruption("segment.timeindex", "%s: entry (%d, %d) is not its batch's",
			k.seg.Path(TimeIndexSuffix), e.Timestamp, o)
	}
	return nil
}

// refill brings memory up to the log's end from what it has. Damage that it meets is noted, and passed over. The caller holds the
// log's lock.
func (s *Segment) refill(m *memory, window []byte) error {
	k := Look{seg: s, file: s.file.file, size: s.size, next: s.next, gen: s.damages.generation(), window: window}
	return k.around(func() error {
		if err := k.renote(m); err != nil {
			return err
		}
		return k.resumeSealing(m)
	})
}

// renote goes from the last index entry to the end: the newest boundaries, the largest timestamp and the bytes since the last entry.
func (k *Look) renote(m *memory) error {
	pos := int64(0)
	m.stamp, m.since, m.tailLen = NoStamp, 0, 0
	if n := len(m.times); n > 0 {
		m.stamp = Stamp{m.times[n-1].Timestamp, m.base + kafka.Offset(m.times[n-1].Rel)}
	}
	if n := len(m.offsets); n > 0 {
		pos = int64(m.offsets[n-1].Pos)
		first := k.walker(0)
		b, _, err := first.Header()
		if err == nil {
			m.first = b.MaxTimestamp()
		} else if !errors.Is(err, io.EOF) {
			return err
		}
	} else {
		m.mark(spot{m.base, 0})
	}
	for w := k.walker(pos); ; {
		b, size, err := w.Header()
		at := w.began
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		m.note(b, at, size, defaultInterval)
	}
	if d, damaged := k.seg.damages.after(k.size - 1); damaged && d.End == k.size { // it goes on behind damage
		m.mark(spot{k.next, k.size})
	}
	return nil
}
