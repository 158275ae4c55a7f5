package segment

import (
	"errors"
	"io"
	"sync"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
)

// Look is a reader's view of a segment: taken under the log's lock, used without it. It keeps the file open until
// Release.
type Look struct {
	seg    *Segment
	file   disk.File
	lock   sync.Locker // the read side of the log's lock, for the indexes of an active segment
	size   int64
	next   kafka.Offset
	gen    int // of the damages; a truncation since makes another
	window []byte
	sealed bool

	condemned bool // Check found new damage
	memory    felt
}

// Look takes a view. The caller holds the log's lock, whose read side is lock; window is a buffer for headers.
func (s *Segment) Look(lock sync.Locker, window []byte) (Look, error) {
	f, err := s.file.acquire(s)
	if err != nil {
		return Look{}, err
	}
	return Look{seg: s, file: f, lock: lock, size: s.size, next: s.next, gen: s.damages.generation(), window: window, sealed: s.mem == nil}, nil
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
//
// Damage ends the range before it; an offset that is damaged is refused.
func (k *Look) Range(from, upper kafka.Offset, maxBytes int64, minOne bool) (r Range, err error) {
	k.memory.asked = min(maxBytes, mostFelt)
	err = k.around(func() error {
		if d, damaged := k.seg.damages.holding(from); damaged {
			return d.refusal()
		}
		r, err = k.bounds(from, upper, maxBytes, minOne)
		if err != nil {
			return err
		}
		return k.clip(&r, from)
	})
	return r, err
}

// Served notes that a range was whole and went to a reader, who will go on at its end.
func (k *Look) Served(r *Range) {
	if r.End > r.Pos && r.End < k.size {
		k.seg.reads.trail.leave(spot{r.Next, r.End}, k.gen)
	}
}

// clip ends a range before damage that lies in it.
func (k *Look) clip(r *Range, from kafka.Offset) error {
	if d, damaged := k.seg.damages.holding(from); damaged {
		return d.refusal()
	}
	if d, found := k.seg.damages.after(r.Pos); found && d.First < r.Next {
		r.End, r.Next = min(r.End, d.Pos), d.First
	}
	return nil
}

// bounds is Range for a segment without damage.
func (k *Look) bounds(from, upper kafka.Offset, maxBytes int64, minOne bool) (Range, error) {
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
	k.feel(r.Pos)
	w := k.walker(pos)
	w.sparse = true
	for {
		b, size, err := w.Header()
		at := w.began
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = k.plausible(b)
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
	for repaired := false; ; {
		s, exact, err := k.start(from)
		if _, damaged := k.seg.damages.at(s.pos); err == nil && exact && !damaged {
			return s, nil
		}
		if err == nil {
			s, err = k.scan(s.pos, from)
			if err == nil {
				err = k.gap(s, from)
			}
		}
		if errors.Is(err, errAgain) {
			continue
		}
		if err == nil || repaired || !fault.IsKind(err, fault.Corrupt) {
			return s, err
		}
		if news, serr := k.survey(); serr != nil && !fault.IsKind(serr, fault.Corrupt) {
			return spot{}, serr
		} else if news {
			continue
		}
		if k.active() {
			return k.scan(0, from) // its index is rebuilt when the segment is sealed and met again
		}
		if err := k.RebuildIndexes(); fault.IsKind(err, fault.Corrupt) {
			return k.scan(0, from)
		} else if err != nil {
			return spot{}, err
		}
		repaired = true
	}
}

// Before returns the position of a batch before which every batch ends below an offset; where the index says nothing that
// can be believed, that is the beginning.
func (k *Look) Before(o kafka.Offset) (int64, error) {
	at, err := k.find(o)
	return at.pos, err
}

// gap looks into what a segment does not have at an offset. Compaction leaves gaps; so does a batch whose offset or count
// is wrong, where it belongs.
func (k *Look) gap(at spot, from kafka.Offset) error {
	if at.offset <= from && at.pos < k.size || at.pos >= k.size && from >= k.next {
		return nil
	}
	news, err := k.checkBefore(at)
	if err == nil && !news && !k.seg.damages.ended.Swap(true) {
		if news, err = k.survey(); err == nil && !news && at.pos >= k.size {
			return k.noteEnd() // the segment ends before the next one begins
		}
	}
	if news {
		return errAgain
	}
	if fault.IsKind(err, fault.Corrupt) {
		return nil
	}
	return err
}

// checkBefore checks the batch before a gap, and notes it as damage when it does not.
func (k *Look) checkBefore(at spot) (news bool, err error) {
	this, err := k.before(&Range{Pos: at.pos, First: at.offset})
	if err != nil || !this.known || k.seg.reads.checked.covers(this.pos, this.end) || (body{k.file, k.size, k.next}).checks(this.pos) {
		return false, err
	}
	due := this.first
	if last, err := k.before(&Range{Pos: this.pos, First: this.first}); err != nil {
		return false, err
	} else if last.known {
		due = last.next
	}
	this.known = false
	return k.condemn(this, this.pos, due, fault.Corruption("segment.find", "the batch at byte %d does not check", this.pos))
}

// plausible reports a batch whose offsets cannot be in the segment.
func (k *Look) plausible(b record.Batch) error {
	if b.BaseOffset() >= k.seg.base && b.NextOffset() <= k.next {
		return nil
	}
	return fault.Corruption("segment.find", "%s: offsets %d to %d in the segment from %d to %d", k.file.Name(), b.BaseOffset(), b.LastOffset(), k.seg.base, k.next-1)
}

// errAgain says that damage was found, and that the question is to be asked again.
var errAgain = fault.Corruption("segment.find", "damage was found")

func (k *Look) scan(pos int64, from kafka.Offset) (spot, error) {
	k.feel(pos)
	w := k.walker(pos)
	for {
		b, _, err := w.Header()
		at := w.began
		if errors.Is(err, io.EOF) {
			return spot{k.next, k.size}, nil
		}
		if err == nil {
			err = k.plausible(b)
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

// start asks the trail and the offset index where a scan begins.
func (k *Look) start(from kafka.Offset) (spot, bool, error) {
	if s, met := k.seg.reads.trail.at(from); met {
		return s, true, nil
	}
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
		w := k.walker(s.pos)
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
