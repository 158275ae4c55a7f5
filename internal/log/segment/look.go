package segment

import (
	"errors"
	"io"
	"sync"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// Look is a reader's view of a segment: taken under the log's lock, used without it. It keeps the file open until
// Release.
type Look struct {
	seg    *Segment
	file   disk.File
	lock   sync.Locker // the read side of the log's lock, for the indexes of an active segment
	size   int64
	next   kafka.Offset
	own    int64
	window []byte
}

// Look takes a view. The caller holds the log's lock, whose read side is lock; window is a buffer for headers.
func (s *Segment) Look(lock sync.Locker, window []byte) (Look, error) {
	f, err := s.file.acquire(s)
	if err != nil {
		return Look{}, err
	}
	return Look{seg: s, file: f, lock: lock, size: s.size, next: s.next, own: s.own, window: window}, nil
}

// Release lets the file go.
func (k *Look) Release() { k.seg.file.Release() }

// Handle returns what a longer user releases instead of the Look.
func (k *Look) Handle() *Handle { return &k.seg.file }

// File returns the log file.
func (k *Look) File() disk.File { return k.file }

// Size returns the bytes in view.
func (k *Look) Size() int64 { return k.size }

// Next returns the offset after the last record in view.
func (k *Look) Next() kafka.Offset { return k.next }

// Range is whole batches that follow each other in a segment: their bytes, and the offsets from First up to Next.
type Range struct {
	Pos, End    int64
	First, Next kafka.Offset
}

// Range finds the batches from the one that holds offset from (or the first after it), all ending below upper and
// together not longer than maxBytes; with minOne the first comes though it is longer.
func (k *Look) Range(from, upper kafka.Offset, maxBytes int64, minOne bool) (Range, error) {
	at, err := k.find(from)
	if err != nil {
		return Range{}, err
	}
	r := Range{Pos: at.pos, End: at.pos, First: at.offset, Next: max(at.offset, from)}
	maxBytes = min(maxBytes, k.size)
	if at.pos >= k.size {
		return r, nil
	}
	if upper >= k.next && k.size-at.pos <= maxBytes {
		r.End, r.Next = k.size, k.next
		return r, nil
	}
	e, exact, err := k.end(upper, at.pos+maxBytes)
	if err != nil {
		return Range{}, err
	}
	if exact && e.pos > at.pos {
		r.End, r.Next = min(e.pos, k.size), min(e.offset, k.next)
		return r, nil
	}
	err = k.extend(&r, max(e.pos, at.pos), upper, maxBytes, minOne)
	if fault.IsKind(err, fault.Corrupt) && e.pos > at.pos {
		err = k.extend(&r, at.pos, upper, maxBytes, minOne) // what is whole before the damage is served
	}
	return r, err
}

// extend walks from a batch boundary and takes batches into r while they fit.
func (k *Look) extend(r *Range, pos int64, upper kafka.Offset, maxBytes int64, minOne bool) error {
	w := NewWalker(k.file, pos, k.size, k.window)
	for {
		at := w.Pos()
		b, size, err := w.Header()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			if r.End > r.Pos && fault.IsKind(err, fault.Corrupt) {
				return nil // what is whole before it is served; the next read meets the damage first
			}
			return err
		}
		if at == pos && pos > r.Pos {
			r.End, r.Next = pos, b.BaseOffset()
		}
		fits := at+size-r.Pos <= maxBytes || minOne && at == r.Pos
		if !fits || b.LastOffset() >= upper {
			return nil
		}
		r.End, r.Next = at+size, b.NextOffset()
	}
}

// find returns the boundary before the first batch that ends at or after an offset, the end of the segment when there
// is none.
func (k *Look) find(from kafka.Offset) (spot, error) {
	for repaired := false; ; repaired = true {
		s, exact, err := k.start(from)
		if err == nil && exact {
			return s, nil
		}
		if err == nil {
			s, err = k.scan(s.pos, from)
		}
		if err == nil || repaired || !fault.IsKind(err, fault.Corrupt) {
			return s, err
		}
		if k.active() {
			return k.scan(0, from) // its index is rebuilt when the segment is sealed and met again
		}
		if err := k.RebuildIndexes(); fault.IsKind(err, fault.Corrupt) {
			return k.scan(0, from)
		} else if err != nil {
			return spot{}, err
		}
	}
}

// Before returns the position of a batch before which every batch ends below an offset; where the index says nothing that
// can be believed, that is the beginning.
func (k *Look) Before(o kafka.Offset) (int64, error) {
	at, err := k.find(o)
	return at.pos, err
}

func (k *Look) scan(pos int64, from kafka.Offset) (spot, error) {
	w := NewWalker(k.file, pos, k.size, k.window)
	for {
		at := w.Pos()
		b, _, err := w.Header()
		if errors.Is(err, io.EOF) {
			return spot{k.next, k.size}, nil
		}
		if err != nil {
			return spot{}, err
		}
		if at == pos && pos > 0 && b.BaseOffset() > from {
			return spot{}, fault.Corruption("segment.find", "%s: the index leads offset %d to %d at %d",
				k.file.Name(), from, b.BaseOffset(), pos)
		}
		if b.LastOffset() >= from {
			return spot{b.BaseOffset(), at}, nil
		}
	}
}

func (k *Look) active() bool {
	k.lock.Lock()
	defer k.lock.Unlock()
	return k.seg.mem != nil
}

// start asks the offset index where a scan begins.
func (k *Look) start(from kafka.Offset) (spot, bool, error) {
	k.lock.Lock()
	if m := k.seg.mem; m != nil {
		s, exact := m.start(from)
		k.lock.Unlock()
		return s, exact, nil
	}
	k.lock.Unlock()
	return k.seg.sealedFloor(k.size, func(e OffsetEntry) bool { return k.seg.base+kafka.Offset(e.Rel) <= from })
}

// end asks the offset index for a boundary to scan from towards an end.
func (k *Look) end(upper kafka.Offset, maxPos int64) (spot, bool, error) {
	k.lock.Lock()
	if m := k.seg.mem; m != nil {
		s, exact := m.end(upper, maxPos)
		k.lock.Unlock()
		return s, exact, nil
	}
	k.lock.Unlock()
	s, _, err := k.seg.sealedFloor(k.size, func(e OffsetEntry) bool {
		return k.seg.base+kafka.Offset(e.Rel) < upper && int64(e.Pos) <= maxPos
	})
	if err == nil && s.pos > 0 {
		// An entry that leads into the middle of a batch must not cut one in two: believe it only where a batch begins.
		w := NewWalker(k.file, s.pos, k.size, k.window)
		b, _, herr := w.Header()
		if herr == nil && b.LastOffset() <= s.offset && b.BaseOffset() >= k.seg.base {
			return s, false, nil
		}
		err = fault.Corruption("segment.index", "%s: no batch at %d", k.file.Name(), s.pos)
	}
	if fault.IsKind(err, fault.Corrupt) {
		if err = k.RebuildIndexes(); fault.IsKind(err, fault.Corrupt) {
			err = nil
		}
		return spot{}, false, err // the caller scans from where it is
	}
	return s, false, err
}

// sealedFloor returns the last entry of the index file for which keep holds, for a log of size bytes.
func (s *Segment) sealedFloor(size int64, keep func(OffsetEntry) bool) (spot, bool, error) {
	b, err := lastWhere(s.fs, s.Path(IndexSuffix), OffsetEntrySize, func(b []byte) bool { return keep(parseOffsetEntry(b)) })
	if s.file.retired() { // compacted beside the reader: the index may be that of the new segment, and leads nowhere here
		return spot{s.base, 0}, false, nil
	}
	if b == nil || err != nil {
		return spot{s.base, 0}, false, err
	}
	e := parseOffsetEntry(b)
	if e.Rel < 0 || e.Pos < 0 || int64(e.Pos) >= size {
		return spot{}, false, fault.Corruption("segment.index", "%s: entry (%d, %d) in a log of %d bytes",
			s.Path(IndexSuffix), e.Rel, e.Pos, size)
	}
	return spot{s.base + kafka.Offset(e.Rel), int64(e.Pos)}, false, nil
}
