package segment

import (
	"errors"
	"io"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/mutant"
	"github.com/milena-io/milena/internal/record"
)

// Place is where a segment is to be cut.
type Place struct {
	pos  int64        // its bytes end here
	end  kafka.Offset // after the last batch, or the damage, before that
	next kafka.Offset // where the log goes on: in a gap between batches that may be later
}

// End returns the offset after what the cut leaves.
func (p Place) End() kafka.Offset { return p.end }

// Place finds where a cut at o is to be: after the last batch that ends below o. The segment may be sealed. Damage that is met on the
// way is noted and stays where it is.
func (k *Look) Place(o kafka.Offset) (Place, error) {
	for {
		var p Place
		err := k.around(func() (err error) {
			p, err = k.place(o)
			return err
		})
		if !errors.Is(err, errAgain) {
			return p, err
		}
	}
}

func (k *Look) place(o kafka.Offset) (Place, error) {
	at, err := k.first(o)
	if err != nil {
		return Place{}, err
	}
	from, _, err := k.start(at.offset - 1)
	if err != nil || from.pos > at.pos {
		from = spot{k.seg.base, 0}
	}
	end := min(from.offset, o)
	for w := k.seg.walker(k.file, from.pos, at.pos, k.window); ; {
		b, _, err := w.Header()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Place{}, err
		}
		end = b.NextOffset()
	}
	if end = k.seg.damages.due(at.pos, end); end != at.offset { // nothing there, or something that does not say what it is
		if err := k.gap(at, at.offset-1); err != nil {
			return Place{}, err
		}
	}
	p := Place{pos: at.pos, end: min(end, at.offset, o)}
	if p.next = p.end; at.pos >= k.size {
		p.next = min(k.next, o)
	}
	return p, nil
}

// first finds what a cut at o takes first. Of damage that o fell into that is the batch, where it is one, or what stood at o, where that is
// known. Otherwise nobody can tell the records below o from those above: the bytes stay, and so does the knowledge of what is
// missing below o, which may be acknowledged and whole elsewhere.
func (k *Look) first(o kafka.Offset) (spot, error) {
	at, err := k.find(o)
	if err != nil {
		return spot{}, err
	}
	d, damaged := k.seg.damages.holding(o)
	if !damaged {
		return at, nil
	}
	if s, exact, err := k.start(o); err == nil && exact && s.offset == o && d.Pos <= s.pos && s.pos <= d.End {
		return s, nil
	}
	one, err := isOne(k.file, d)
	if err != nil {
		return spot{}, err
	}
	if one || d.First == o {
		return spot{d.First, d.Pos}, nil
	}
	return spot{o, d.End}, nil
}

// isOne reports whether damage is as long as the batch that it begins with says that it is.
func isOne(f disk.File, d Damage) (bool, error) {
	var head [record.HeaderSize]byte
	if d.End-d.Pos < record.HeaderSize {
		return false, nil
	}
	if n, err := f.ReadAt(head[:], d.Pos); n < len(head) {
		return false, fault.Storage("segment.Cut", err)
	}
	n, err := record.PeekSize(head[:])
	return err == nil && int64(n) == d.End-d.Pos, nil
}

// Cut removes everything from a place on, durably: an append that reuses the bytes must not meet the old ones after a crash. The
// segment is active, the caller holds the log's lock, and since Place nothing was written. After an error it ends where it was to, and
// is to be made active again; CutTail does the rest.
func (s *Segment) Cut(p Place, window []byte) error {
	s.size, s.next = p.pos, p.next
	s.broken = nil
	s.reads.checked.cut(s.size)
	s.damages.cut(s.size, s.next)
	s.reads.trail.cut(s.damages.generation())
	s.mem.cut(s.size, s.next)
	s.cutAborted(s.next)
	if err := s.refill(s.mem, window); err != nil {
		s.Close() // half an index: it is made anew
		return err
	}
	if mutant.On(mutant.TruncationNotSynced) {
		return s.Truncate()
	}
	return s.CutTail()
}
