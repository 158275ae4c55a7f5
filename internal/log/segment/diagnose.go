package segment

import (
	"errors"
	"io"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
)

// body is a file in which damage is looked for: its bytes up to size, which hold the offsets below next.
type body struct {
	file disk.File
	size int64
	next kafka.Offset
}

// What a search for the end of damage reads at a time, and how many bytes may go into checksums on the way: bytes made on
// purpose look like a batch everywhere.
const (
	searchStep = 256 << 10
	searchWork = 256 << 20
)

// extent finds where damage ends that begins at pos, where offset first was due: at the next whole batch that checks and
// does not come before first, or at the end. Where the bad batch's own length leads to a good one that continues its own
// count, that is it; otherwise every byte may be the beginning.
func (b body) extent(path string, pos int64, first kafka.Offset, why error) (Damage, error) {
	d := Damage{Path: path, Pos: pos, End: b.size, First: first, Next: max(b.next, first), Why: why}
	head := make([]byte, record.HeaderSize)
	if n, err := b.file.ReadAt(head, pos); n < len(head) {
		if err != nil && !errors.Is(err, io.EOF) {
			return d, fault.Storage("segment.extent", err)
		}
		return d, nil
	}
	bad := record.Batch(head)
	if n, err := record.PeekSize(head); err == nil && pos+int64(n) < b.size {
		next, err := b.good(pos+int64(n), first)
		if err != nil {
			return d, err
		}
		if next >= 0 && next == first+kafka.Offset(bad.LastOffsetDelta())+1 {
			d.End, d.Next = pos+int64(n), next
			return d, nil
		}
	}
	buf := make([]byte, searchStep+record.HeaderSize)
	for at, work := pos+1, int64(0); at < b.size && work < searchWork; at += searchStep {
		n, err := b.file.ReadAt(buf[:min(int64(len(buf)), b.size-at)], at)
		if err != nil && !errors.Is(err, io.EOF) {
			return d, fault.Storage("segment.extent", err)
		}
		for i := 0; i < searchStep && i+record.HeaderSize <= n; i++ {
			size, err := record.PeekSize(buf[i:n])
			if buf[i+16] != record.Magic || err != nil || size < record.HeaderSize || at+int64(i+size) > b.size {
				continue
			}
			work += int64(size)
			next, err := b.good(at+int64(i), first)
			if err != nil {
				return d, err
			}
			if next >= 0 {
				d.End, d.Next = at+int64(i), next
				return d, nil
			}
		}
	}
	return d, nil
}

// good returns the base offset of the batch at a position if one is there that checks and fits between two offsets; -1
// when there is none.
func (b body) good(pos int64, first kafka.Offset) (kafka.Offset, error) {
	w := NewWalker(b.file, pos, b.size, make([]byte, 0, record.HeaderSize))
	head, _, err := w.Header()
	if err == nil && head.BaseOffset() >= first && head.NextOffset() <= b.next {
		w = NewWalker(b.file, pos, b.size, w.window)
		var whole record.Batch
		if whole, err = w.Whole(); err == nil && whole.CheckCRC() == nil {
			return whole.BaseOffset(), nil
		}
	}
	if err != nil && !errors.Is(err, io.EOF) && !fault.IsKind(err, fault.Corrupt) {
		return -1, err
	}
	return -1, nil
}

// checks reports whether the batch at a position is whole and checks, whatever its offsets.
func (b body) checks(pos int64) bool {
	w := NewWalker(b.file, pos, b.size, nil)
	whole, err := w.Whole()
	return err == nil && whole.CheckCRC() == nil
}

// walker walks the segment around what is known to be damaged.
func (k *Look) walker(pos int64) Walker { return k.seg.walker(k.file, pos, k.size, k.window) }

func (s *Segment) walker(f disk.File, pos, limit int64, window []byte) Walker {
	w := NewWalker(f, pos, limit, window)
	w.damages = &s.damages
	return w
}

// survey walks the headers of the whole segment and notes where they do not lead on. It reports whether that was news.
// Where the chain breaks the fault may lie in the length of the batch before, so that one is checked first.
func (k *Look) survey() (news bool, err error) {
	b := body{k.file, k.size, k.next}
	w := k.walker(0)
	next := k.seg.base           // offset that is due
	last := spot{k.seg.base, -1} // the batch that was met last: where it stands, and what was due there
	for {
		h, _, err := w.Header()
		if err == nil {
			next = k.seg.damages.due(w.began, next)
			this := met{w.began, w.ended, h.BaseOffset(), h.NextOffset(), h.LeaderEpoch(), true}
			found, ferr := k.misplaced(this, next)
			if ferr != nil {
				return news, ferr
			}
			if found {
				news = true
				w = k.walker(this.pos)
				continue
			}
			last = spot{next, w.began}
			next = dueAfter(h, next, k.next)
			continue
		}
		if errors.Is(err, io.EOF) || !fault.IsKind(err, fault.Corrupt) {
			return news, eofIsNil(err)
		}
		at := spot{k.seg.damages.due(w.Pos(), next), w.Pos()}
		if last.pos >= 0 && w.ended == w.Pos() && !b.checks(last.pos) {
			at = last
		}
		d, xerr := b.extent(k.seg.Path(LogSuffix), at.pos, at.offset, err)
		if xerr != nil {
			return news, xerr
		}
		if !k.seg.damages.add(d, k.gen) {
			return news, err
		}
		news = true
		w = k.walker(d.End)
		next, last = d.Next, spot{d.Next, -1}
	}
}

// misplaced holds a batch's offsets against its neighbours, and notes it as damage when they are not its own.
func (k *Look) misplaced(this met, due kafka.Offset) (bool, error) {
	after, err := k.after(this.end)
	if err != nil {
		return false, err
	}
	_, why := k.judge(met{}, this, after, due, nil)
	if why == nil {
		return false, nil
	}
	if !(body{k.file, k.size, k.next}).checks(this.pos) {
		this.known = false
	}
	return k.condemn(this, this.pos, due, why)
}

func eofIsNil(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// dueAfter returns the offset that is due after a batch where due was; a base offset that cannot be is not believed.
func dueAfter(h record.Batch, due, end kafka.Offset) kafka.Offset {
	if h.BaseOffset() >= due && h.NextOffset() <= end {
		return h.NextOffset()
	}
	return min(due+kafka.Offset(h.LastOffsetDelta())+1, end)
}

// around runs f, and once more when it met damage that a survey has found meanwhile.
func (k *Look) around(f func() error) error {
	err := f()
	if !fault.IsKind(err, fault.Corrupt) {
		return err
	}
	news, serr := k.survey()
	if serr != nil && !fault.IsKind(serr, fault.Corrupt) {
		return serr
	}
	if !news {
		return err
	}
	return f()
}
