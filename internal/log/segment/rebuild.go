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
	if _, err := k.survey(); err != nil && !fault.IsKind(err, fault.Corrupt) {
		return err
	}
	if err := k.noteEnd(); err != nil {
		return err
	}
	s.repair.Lock()
	defer s.repair.Unlock()
	if s.broken != nil {
		return s.broken
	}
	x := NewIndexer(s.base)
	for w := k.walker(0); ; {
		b, size, err := w.Header()
		pos := w.began
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
	for w := s.walker(f, from.pos, s.size, window); ; {
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

// CutTail makes the file end where Recover stopped, durably.
func (s *Segment) CutTail() error {
	if err := s.file.file.Truncate(s.size); err != nil {
		return fault.Storage("segment.CutTail", err)
	}
	return s.Sync()
}

// Replay shows every batch from an offset on to visit. Damage is passed over.
func (k *Look) Replay(from kafka.Offset, visit Visit) error {
	if _, err := k.find(from); fault.IsKind(err, fault.Corrupt) {
		if _, err := k.survey(); err != nil {
			return err
		}
	}
	at, err := k.find(from)
	if err != nil {
		return err
	}
	due := at.offset
	for w := k.walker(at.pos); ; {
		b, err := w.Whole()
		if errors.Is(err, io.EOF) {
			return nil
		}
		pos := w.Pos()
		if err == nil {
			pos, err = w.began, b.CheckCRC()
		}
		if fault.IsKind(err, fault.Corrupt) {
			due = max(k.seg.damages.due(pos, due), k.seg.base)
			if news, cerr := k.condemn(met{}, pos, due, err); cerr != nil || !news {
				return errors.Join(err, cerr)
			}
			w = k.walker(pos)
			continue
		}
		if err != nil {
			return err
		}
		due = b.NextOffset()
		if err := visit(b); err != nil {
			return err
		}
	}
}

// Remove deletes the files of a segment that recovery drops.
func Remove(fsys disk.FS, dir string, base kafka.Offset) error {
	for _, suffix := range []string{LogSuffix, IndexSuffix, TimeIndexSuffix, TxnIndexSuffix, SealSuffix} {
		if err := fsys.Remove(dir + "/" + Name(base, suffix)); err != nil && !errors.Is(err, disk.ErrNotExist) {
			return fault.Storage("segment.Remove", err)
		}
	}
	return nil
}
