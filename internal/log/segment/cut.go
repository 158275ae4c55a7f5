package segment

import (
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/mutant"
)

// Boundary returns the offset at which a cut at o would end the log: after the last batch that ends below o. The segment
// may be sealed.
func (k *Look) Boundary(o kafka.Offset) (kafka.Offset, error) {
	at, err := k.find(o)
	if err != nil {
		return 0, err
	}
	from, _, err := k.start(at.offset - 1)
	if err != nil || from.pos > at.pos {
		from = spot{k.seg.base, 0}
	}
	next := min(from.offset, o)
	for w := k.seg.walker(k.file, from.pos, at.pos, k.window); w.Pos() < at.pos; {
		b, _, err := w.Header()
		if err != nil {
			return 0, err
		}
		next = b.NextOffset()
	}
	return next, nil
}

// Cut removes the batch that holds offset o and everything after it, durably: an append that reuses the bytes must not
// meet the old ones after a crash. The segment is active, and the caller holds the log's lock. After an error it ends where it was
// to, and is to be made active again; CutTail does the rest.
func (s *Segment) Cut(o kafka.Offset, window []byte) error {
	at, exact := s.mem.start(o)
	if !exact {
		k := Look{seg: s, file: s.file.file, size: s.size, next: s.next, window: window}
		var err error
		if at, err = k.scan(at.pos, o); err != nil {
			return err
		}
	}
	if at.pos >= s.size { // o lies after the last batch, in a gap
		s.next = min(s.next, o)
		return nil
	}
	s.size, s.next = at.pos, min(at.offset, o)
	s.broken = nil
	s.reads.checked.cut(s.size)
	s.damages.cut(s.size, o)
	s.reads.trail.cut(s.damages.generation())
	m := s.mem
	m.cut(s.size, at.offset)
	s.cutAborted(o)
	err := s.refill(m, window)
	if err == nil {
		err = s.resumeSealing(window)
	}
	if err != nil {
		s.Close() // half an index: it is made anew
		return err
	}
	if m.tailLen > 0 {
		s.next = m.tail[(m.tailLen-1)%tailSpots].offset
	}
	if mutant.On(mutant.TruncationNotSynced) {
		return s.Truncate()
	}
	return s.CutTail()
}
