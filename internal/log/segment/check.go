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
// batch ends the range before it; when nothing is left the corruption is the answer, and it is never served.
func (k *Look) Check(r *Range, window []byte) error {
	s := k.seg
	w := NewWalker(k.file, r.Pos, r.End, window)
	next := s.base
	for {
		pos := w.Pos()
		b, err := w.Whole()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && (b.BaseOffset() < next || b.NextOffset() > k.next) {
			err = fault.Corruption("segment.Check", "offsets %d to %d are out of order", b.BaseOffset(), b.LastOffset())
		}
		if err == nil {
			err = b.CheckCRC()
		}
		if err != nil {
			if !fault.IsKind(err, fault.Corrupt) {
				return err
			}
			if pos == r.Pos {
				bad := fault.Corruption("segment.Check", "%s at byte %d, offset %d or later", k.file.Name(), pos, r.First)
				bad.Cause = err
				return bad
			}
			r.End, r.Next = pos, next
			break
		}
		next = b.NextOffset()
	}
	s.checked.add(r.Pos, r.End)
	return nil
}
