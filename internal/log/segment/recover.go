package segment

import (
	"errors"
	"io"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
)

// recovery is the walk over one segment after a crash.
type recovery struct {
	seg     *Segment
	file    disk.File
	trusted kafka.Offset
	below   kafka.Offset // where the next segment begins, or has to
	sealed  bool         // there is a next one
	due     kafka.Offset // after the batches so far
	epochAt EpochAt      // what is known of epochs below trusted; may be nil
	before  met          // the batch that was met last
	last    spot         // the batch that was met last, and what was due there; before the first one pos is -1
}

// Recover walks the whole log file after a crash. Batches below trusted were durable: what does not
// check there is no torn write but damage: it is noted, and the walk goes
// on behind it. From trusted on it stops at the first bytes that are no good batch and returns why in bad; the segment is
// then active, with the indexes of what came before, and CutTail removes the rest. Zeros up to the end of the file are what was
// allocated and never written, or a size that reached the disk before the data: nothing bad, and CutTail removes them, too.
func (s *Segment) Recover(trusted kafka.Offset, l Limits, window []byte, epochAt EpochAt, visit Visit) (bad, err error) {
	f, err := s.file.acquire(s)
	if err != nil {
		return nil, err
	}
	m := newMemory(s.base)
	m.mark(spot{s.base, 0})
	r := recovery{seg: s, file: f, trusted: trusted, below: s.base + 1<<31, due: s.base, epochAt: epochAt, last: spot{s.base, -1}}
	if r.sealed = s.next > s.base; r.sealed {
		r.below = s.next
	}
	for w := s.walker(f, 0, s.size, window); ; {
		before := w.ended
		b, err := w.Whole()
		if errors.Is(err, io.EOF) {
			break
		}
		pos := w.Pos()
		if err == nil {
			pos = w.began
			err = r.acceptable(b, pos, w.ended)
		}
		if fault.IsKind(err, fault.Corrupt) && r.due < trusted {
			if err = r.quarantine(pos, before, err); err == nil {
				w = s.walker(f, r.last.pos, s.size, w.window)
				m.mark(spot{r.due, r.last.pos})
				r.last.pos = -1
				continue
			}
		}
		if fault.IsKind(err, fault.Corrupt) {
			zeros, zerr := OnlyZeros(f, pos, s.size, w.window)
			if zerr != nil {
				s.file.Release()
				return nil, zerr
			}
			if s.size = pos; !zeros {
				bad = err
			}
			break
		}
		if err == nil {
			m.note(b, pos, int64(len(b)), l.IndexIntervalBytes)
			m.sealing.take(b, pos)
			r.last, r.due = spot{r.due, pos}, b.NextOffset()
			r.before = met{pos, w.ended, b.BaseOffset(), b.NextOffset(), b.LeaderEpoch(), true}
			err = visit(b)
		}
		if err != nil {
			s.file.Release()
			return nil, err
		}
	}
	s.mem, s.next, s.file.held = m, r.due, true
	return bad, nil
}

// acceptable reports why a batch cannot stand where it does.
func (r *recovery) acceptable(b record.Batch, pos, end int64) error {
	const op = "segment.Recover"
	s := r.seg
	if b.BaseOffset() < r.due {
		return fault.Corruption(op, "%s: offset %d at %d comes after %d", s.Path(LogSuffix), b.BaseOffset(), pos, r.due)
	}
	if b.NextOffset() > r.below {
		return fault.Corruption(op, "%s: offset %d at %d is too far from the base", s.Path(LogSuffix), b.LastOffset(), pos)
	}
	if err := b.CheckCRC(); err != nil {
		return err
	}
	this := met{pos, end, b.BaseOffset(), b.NextOffset(), b.LeaderEpoch(), true}
	if r.due < r.trusted {
		// Compaction leaves gaps. Where the batch fits exactly without one, its offset is what is wrong.
		fit := r.due + b.NextOffset() - b.BaseOffset()
		k := Look{seg: s, file: r.file, size: s.size, next: r.below}
		after, err := k.after(end)
		if err != nil {
			return err
		}
		if err := estranged(r.before, this, after, r.epochAt); err != nil {
			return err
		}
		if b.BaseOffset() > r.due && (after.known && after.first == fit || !r.sealed && (!after.known && fit == r.trusted || b.BaseOffset() >= r.trusted)) {
			return fault.Corruption(op, "%s: offset %d at %d where %d is due", s.Path(LogSuffix), b.BaseOffset(), pos, r.due)
		}
	}
	s.reads.checked.add(pos, end)
	return nil
}

// quarantine notes the damage at a position and moves behind it. Where the chain broke it may be the length of the batch
// before that is wrong.
func (r *recovery) quarantine(pos, before int64, why error) error {
	b := body{r.file, r.seg.size, r.below}
	at := spot{r.due, pos}
	if r.last.pos >= 0 && before == pos && !b.checks(r.last.pos) {
		at = r.last
	}
	d, err := b.extent(r.seg.Path(LogSuffix), at.pos, at.offset, why)
	if err != nil {
		return err
	}
	if d.End == b.size && !r.sealed {
		d.Next = max(r.trusted, d.First)
	}
	r.seg.damages.add(d, r.seg.damages.generation())
	r.before = met{}
	r.due, r.last = d.Next, spot{d.Next, d.End}
	return nil
}
