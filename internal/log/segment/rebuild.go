package segment

import (
	"errors"
	"io"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/record"
)

// defaultInterval is index.interval.bytes for indexes that are rebuilt while the log runs; density is a matter of
// speed alone.
const defaultInterval = 4096

// RebuildIndexes makes the offset and time index of a sealed segment anew from its log. Readers that use the old files
// meanwhile find at worst a shorter index, which only makes them scan longer.
func (k *Look) RebuildIndexes() error {
	s := k.seg
	s.repair.Lock()
	defer s.repair.Unlock()
	if s.broken != nil {
		return s.broken
	}
	x := NewIndexer(s.base)
	for w := NewWalker(k.file, 0, k.size, k.window); ; {
		pos := w.Pos()
		b, size, err := w.Header()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			if fault.IsKind(err, fault.Corrupt) {
				s.broken = err
			}
			return err
		}
		x.m.note(b, pos, size, defaultInterval)
	}
	offsets, times, largest := x.Files()
	if err := checkpoint.Replace(s.fs, s.dir, Name(s.base, IndexSuffix), offsets); err != nil {
		return err
	}
	if err := checkpoint.Replace(s.fs, s.dir, Name(s.base, TimeIndexSuffix), times); err != nil {
		return err
	}
	s.stamp.Store(&largest)
	return nil
}

// End finds the offset after the last record of a sealed last segment by reading from its last index entry on: a clean
// start reads no more than that.
func (s *Segment) End(window []byte) (kafka.Offset, error) {
	if s.size == 0 {
		return s.base, nil
	}
	from, _, err := s.sealedFloor(s.size, func(OffsetEntry) bool { return true })
	if err != nil {
		return 0, err
	}
	f, err := s.file.acquire(s)
	if err != nil {
		return 0, err
	}
	defer s.file.Release()
	next := s.base
	for w := NewWalker(f, from.pos, s.size, window); ; {
		b, _, err := w.Header()
		if errors.Is(err, io.EOF) {
			return next, nil
		}
		if err != nil {
			return 0, err
		}
		if b.BaseOffset() < next {
			return 0, fault.Corruption("segment.End", "%s: offset %d comes after %d", f.Name(), b.BaseOffset(), next)
		}
		next = b.NextOffset()
	}
}

// EndOfFile walks a log file under another name, such as a compaction's output, and returns the offset after its last
// record.
func EndOfFile(fsys disk.FS, path string, base kafka.Offset, window []byte) (kafka.Offset, error) {
	f, err := fsys.Open(path, 0)
	if err != nil {
		return 0, fault.Storage("segment.EndOfFile", err)
	}
	defer func() { _ = f.Close() }()
	size, err := f.Size()
	if err != nil {
		return 0, fault.Storage("segment.EndOfFile", err)
	}
	next := base
	for w := NewWalker(f, 0, size, window); ; {
		b, _, err := w.Header()
		if errors.Is(err, io.EOF) {
			return next, nil
		}
		if err != nil {
			return 0, err
		}
		next = b.NextOffset()
	}
}

// SetNext tells a sealed last segment what End found.
func (s *Segment) SetNext(o kafka.Offset) { s.next = o }

// Visit sees every batch of a recovery or a replay, in order; the batch is valid during the call.
type Visit func(b record.Batch) error

// Recover walks the whole log file after a crash. Batches below trusted were durable and are believed; from there on
// every batch must check. It stops at the first bytes that are no good batch and returns why in bad; the segment is
// then active, with the indexes of what came before, and CutTail removes the rest.
func (s *Segment) Recover(trusted kafka.Offset, l Limits, window []byte, visit Visit) (bad, err error) {
	f, err := s.file.acquire(s)
	if err != nil {
		return nil, err
	}
	m := newMemory(s.base)
	m.mark(spot{s.base, 0})
	s.own = s.size
	next := s.base
	w := NewWalker(f, 0, s.size, window)
	for bad == nil {
		pos := w.Pos()
		b, err := w.Whole()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = s.acceptable(b, next, trusted, pos)
		}
		if err != nil {
			if !fault.IsKind(err, fault.Corrupt) {
				s.file.Release()
				return nil, err
			}
			bad, s.size = err, pos
			break
		}
		if b.LastOffset() >= trusted {
			s.own = min(s.own, pos)
		}
		m.note(b, pos, int64(len(b)), l.IndexIntervalBytes)
		next = b.NextOffset()
		if err := visit(b); err != nil {
			s.file.Release()
			return nil, err
		}
	}
	s.own = min(s.own, s.size)
	s.mem, s.next = m, next
	return bad, nil
}

func (s *Segment) acceptable(b record.Batch, next, trusted kafka.Offset, pos int64) error {
	if b.BaseOffset() < next {
		return fault.Corruption("segment.Recover", "%s: offset %d at %d comes after %d", s.Path(LogSuffix), b.BaseOffset(), pos, next)
	}
	if b.LastOffset()-s.base > 1<<31-1 {
		return fault.Corruption("segment.Recover", "%s: offset %d at %d is too far from the base", s.Path(LogSuffix), b.LastOffset(), pos)
	}
	if b.LastOffset() < trusted {
		return nil
	}
	return b.CheckCRC()
}

// CutTail makes the file end where Recover stopped, durably.
func (s *Segment) CutTail() error {
	if err := s.file.file.Truncate(s.size); err != nil {
		return fault.Storage("segment.CutTail", err)
	}
	return s.Sync()
}

// Replay shows every batch from an offset on to visit, without checking it again.
func (k *Look) Replay(from kafka.Offset, visit Visit) error {
	at, err := k.find(from)
	if err != nil {
		return err
	}
	for w := NewWalker(k.file, at.pos, k.size, k.window); ; {
		b, err := w.Whole()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := visit(b); err != nil {
			return err
		}
	}
}

// Remove deletes the files of a segment that recovery drops.
func Remove(fsys disk.FS, dir string, base kafka.Offset) error {
	for _, suffix := range []string{LogSuffix, IndexSuffix, TimeIndexSuffix, TxnIndexSuffix} {
		if err := fsys.Remove(dir + "/" + Name(base, suffix)); err != nil && !errors.Is(err, disk.ErrNotExist) {
			return fault.Storage("segment.Remove", err)
		}
	}
	return nil
}
