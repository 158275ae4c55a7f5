package log

import (
	"errors"
	"io"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/segment"
)

// ReadOptions bound a read.
type ReadOptions struct {
	MaxBytes int
	MinOne   bool         // the first batch comes though it is longer than MaxBytes
	Upper    kafka.Offset // exclusive: no batch that reaches it is returned
	Sparing  bool         // nothing comes, rather than from a file that were open beside too many others
}

// Slice is whole batches of one segment, in the file: they begin with the one that holds the offset asked for, or the
// first after it. Len is zero when there are none. The file stays open, and the bytes what they are, until Release,
// also when retention deletes the segment meanwhile; but not when the log is truncated below Next.
type Slice struct {
	File   disk.File
	Pos    int64
	Len    int64
	First  kafka.Offset // no record of the slice is before it
	Next   kafka.Offset // where to go on
	Remote bool         // the records are in remote storage; never set yet (architecture D15)
	handle *segment.Handle
}

// Release lets the file go; once, and harmless on an empty slice.
func (s *Slice) Release() {
	if s.handle != nil {
		s.handle.Release()
		s.handle, s.File = nil, nil
	}
}

// AppendTo reads the slice's bytes onto dst.
func (s *Slice) AppendTo(dst []byte) ([]byte, error) {
	n := int(s.Len)
	if n == 0 {
		return dst, nil
	}
	from := len(dst)
	if cap(dst)-from < n {
		dst = append(make([]byte, 0, from+n), dst...)
	}
	dst = dst[:from+n]
	got, err := s.File.ReadAt(dst[from:], s.Pos)
	if got == n {
		return dst, nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return dst[:from], fault.Corruption("log.Slice", "%s ended %d bytes early", s.File.Name(), n-got)
	}
	return dst[:from], fault.Storage("log.Slice", err)
}

// Read returns batches from an offset on. An offset before the log start or after the end is OFFSET_OUT_OF_RANGE; at the
// end, or at Upper, the slice is empty. Everything returned has been written or checked by this process; bytes that do
// not check are CORRUPT_MESSAGE, and are never returned.
func (v *view) Read(from kafka.Offset, o ReadOptions) (Slice, error) {
	for {
		s, cuts, err := v.read(from, o)
		if err != nil && !fault.IsKind(err, fault.Corrupt) || err == nil && s.Len == 0 {
			return s, err
		}
		// To a read beside a truncation other records look like corruption, or worse, don't; then the question is asked again.
		v.mu.RLock()
		same := v.cuts == cuts
		v.mu.RUnlock()
		if same {
			return s, err
		}
		s.Release()
	}
}

func (v *view) read(from kafka.Offset, o ReadOptions) (Slice, uint64, error) {
	window := v.headers.Get().(*[]byte)
	defer v.headers.Put(window)
	empty := Slice{First: from, Next: from}
	for at := from; ; {
		k, some, cuts, err := v.look(at, from, o, *window)
		if err != nil || !some {
			return empty, cuts, err
		}
		r, err := k.Range(at, o.Upper, int64(o.MaxBytes), o.MinOne)
		if err == nil && r.End > r.Pos {
			if recent := k.Recent(&r); recent != nil {
				return Slice{File: recent, Pos: r.Pos, Len: r.End - r.Pos, First: r.First, Next: r.Next, handle: k.Handle()}, cuts, nil
			}
			if err = v.checked(&k, &r); fault.IsKind(err, fault.Corrupt) && k.Condemned() {
				k.Release()
				continue // the damage is known now: it refuses the offset, or is passed over
			}
		}
		if err != nil {
			k.Release()
			return empty, cuts, err
		}
		if r.End > r.Pos {
			k.Served(&r)
			return Slice{File: k.File(), Pos: r.Pos, Len: r.End - r.Pos, First: r.First, Next: r.Next, handle: k.Handle()}, cuts, nil
		}
		k.Release()
		if at >= k.Next() || r.Next < k.Next() {
			return empty, cuts, nil // a bound of the question ends it here
		}
		at = k.Next() // the segment ends in a gap: go on in the one after it
	}
}

// look takes a view of the segment that holds an offset, if something is to be read there.
func (v *view) look(at, from kafka.Offset, o ReadOptions, window []byte) (k segment.Look, some bool, cuts uint64, err error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if from < v.start || from > v.end {
		return k, false, v.cuts, fault.New("log.Read", kafka.ErrOffsetOutOfRange, "offset %d is outside %d..%d", from, v.start, v.end)
	}
	if at >= min(o.Upper, v.end) {
		return k, false, v.cuts, nil
	}
	s := v.segments[v.floor(at)]
	if o.Sparing && !s.Open() && v.handles.Crowded(readersPart) {
		return k, false, v.cuts, nil
	}
	k, err = s.Look(v.mu.RLocker(), window)
	return k, true, v.cuts, err
}

// Writing returns the newest segment and its bytes so far; ok is false when there are none.
func (v *view) Writing() (b disk.Beginner, size int64, ok bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if len(v.segments) == 0 {
		return nil, 0, false
	}
	s := v.segments[len(v.segments)-1]
	return s, s.Size(), s.Size() > 0
}

// floor returns the index of the segment that an offset belongs to; 0 while a log that is being emptied has none.
func (v *view) floor(o kafka.Offset) int {
	i := len(v.segments) - 1
	for i > 0 && v.segments[i].Base() > o {
		i--
	}
	return max(i, 0)
}

// checked checks a range that was not written or checked since start, or has left memory since: what comes from the disk
// is not believed (architecture D5).
func (v *view) checked(k *segment.Look, r *segment.Range) error {
	absent, checked := k.Known(r)
	if absent {
		return v.cold.read(k.File(), r, func() error { return v.check(k, r) })
	}
	if checked {
		return nil
	}
	return v.check(k, r)
}

func (v *view) check(k *segment.Look, r *segment.Range) error {
	window := v.bodies.Get().(*[]byte)
	defer v.bodies.Put(window)
	return k.Check(r, *window, v.epochAt)
}

// newWindow returns a window for headers, for what a log does once in a while: an idle log keeps none.
func newWindow() []byte { return make([]byte, 0, headerWindow) }

// windowFor returns a window for reading a whole file of a size; recovery has many small ones.
func windowFor(size int64) []byte { return make([]byte, 0, min(max(size, headerWindow), bodyWindow)) }
