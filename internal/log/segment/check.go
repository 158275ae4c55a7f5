package segment

import (
	"errors"
	"io"

	"github.com/milena-io/milena/internal/fault"
)

// Checked reports whether a range was written or checked since start.
func (k *Look) Checked(r *Range) bool { return k.seg.checked.covers(r.Pos, min(r.End, k.own)) }

// Check reads and checks a range before it is first served after start (architecture D5): the CRC of every batch, and
// that offsets rise, since the CRC does not cover them. What this process wrote or has checked is not read again. A bad
// batch ends the range before it; where offsets don't fit, either of the two neighbours may be the bad one, so the range
// ends before both. When nothing is left the corruption is the answer, and it is never served.
func (k *Look) Check(r *Range, window []byte) error {
	s := k.seg
	w := NewWalker(k.file, r.Pos, r.End, window)
	good := spot{s.base, r.Pos} // after the last batch that checks
	before := good              // and after the one before it
	for {
		b, err := w.Whole()
		if errors.Is(err, io.EOF) {
			break
		}
		end := good
		if err == nil {
			err = b.CheckCRC()
		}
		if err == nil && (b.BaseOffset() < good.offset || b.NextOffset() > k.next) {
			err = fault.Corruption("segment.Check", "offsets %d to %d are out of order", b.BaseOffset(), b.LastOffset())
			if b.BaseOffset() < good.offset {
				end = before
			}
		}
		if err == nil {
			before, good = good, spot{b.NextOffset(), w.Pos()}
			continue
		}
		if !fault.IsKind(err, fault.Corrupt) {
			return err
		}
		if end.pos == r.Pos {
			bad := fault.Corruption("segment.Check", "%s from byte %d, offset %d or later", k.file.Name(), r.Pos, r.First)
			bad.Cause = err
			return bad
		}
		r.End, r.Next = end.pos, end.offset
		break
	}
	s.checked.add(r.Pos, r.End)
	return nil
}
