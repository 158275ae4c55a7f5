package log

import (
	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/segment"
)

// Scrub reads and checks the sealed segments of a log, whether somebody has read them before or not. What does not check
// becomes damage by the way that it does for a reader. It goes on by offsets, so that a segment that retention or
// compaction takes away between two steps is no concern of it.
//
// One goroutine steps it. It is safe beside the writer and holds the log's lock only to find its segment.
type Scrub struct {
	Bytes   int64 // read so far
	Damages int   // stretches that do not check, in the segments that were read to their end

	l      *Log
	at     kafka.Offset
	absent []int64 // where pieces begin that were not in memory before this step
}

// NewScrub begins at the log start.
func NewScrub(l *Log) *Scrub { return &Scrub{l: l} }

// Step reads about so many bytes, at least a batch. done says that the active segment is reached. What does not check is no
// error here.
func (s *Scrub) Step(bytes int64) (done bool, read int64, err error) {
	window := s.l.headers.Get().(*[]byte)
	defer s.l.headers.Put(window)
	seg, k, err := s.look(*window)
	if seg == nil || err != nil {
		return err == nil, 0, err
	}
	defer k.Release()
	from := s.at
	r, err := k.Range(from, k.Next(), bytes, true)
	if err == nil && r.End > r.Pos {
		read = r.End - r.Pos
		err = s.check(&k, &r)
	}
	s.Bytes += read
	switch {
	case err == nil && r.Next > from:
		s.at = r.Next
	case err == nil:
		s.at = k.Next() // it ends in a gap
	case !fault.IsKind(err, fault.Corrupt):
		return false, read, err
	default:
		s.at = past(seg, from, k.Condemned(), k.Next())
	}
	if s.at >= k.Next() {
		s.Damages += len(seg.Damages())
	}
	return false, read, nil
}

// past returns where to go on after an offset that was refused: behind the damage that holds it, at the same place when the
// damage was found just now and may begin later, and with the next segment when nothing is known.
func past(seg *segment.Segment, from kafka.Offset, news bool, end kafka.Offset) kafka.Offset {
	for _, d := range seg.Damages() {
		if d.First <= from && from < d.Next {
			return d.Next
		}
	}
	if news {
		return from
	}
	return end
}

// look takes a view of the sealed segment that is to be read; nil when there is none any more.
func (s *Scrub) look(window []byte) (*segment.Segment, segment.Look, error) {
	v := s.l.view
	v.mu.RLock()
	defer v.mu.RUnlock()
	s.at = max(s.at, v.start)
	i := v.floor(s.at)
	if i >= len(v.segments)-1 {
		return nil, segment.Look{}, nil
	}
	k, err := v.segments[i].Look(v.mu.RLocker(), window)
	return v.segments[i], k, err
}

// scrubPiece is how finely a scrub tells what was in memory before it from what it brought there.
const scrubPiece = 64 << 10

// check checks a range past the page cache's back: what was not in memory before is not there after it, so that a scrub of
// a terabyte takes no page from those who need it. Pieces are asked for by themselves, since the kernel would read on behind
// them otherwise, and what it read so would look like somebody's at the next step.
func (s *Scrub) check(k *segment.Look, r *segment.Range) error {
	cache, knows := k.File().(disk.Cache)
	s.absent = s.absent[:0]
	for at := r.Pos &^ (scrubPiece - 1); knows && at < r.End; at += scrubPiece {
		if n := min(scrubPiece, k.Size()-at); !cache.Resident(at, n) {
			s.absent = append(s.absent, at)
			cache.Ahead(at, n)
		}
	}
	err := s.l.view.check(k, r)
	for _, at := range s.absent {
		cache.Drop(at, min(scrubPiece, k.Size()-at))
	}
	return err
}
