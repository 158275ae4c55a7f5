package segment

import (
	"errors"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/must"
)

// spillEntries is how many index entries gather in memory before they go to the file in one write, so that an active
// segment holds one descriptor and not three. Nothing depends on them: after a crash the indexes are rebuilt.
const spillEntries = 512

// Spill writes gathered index entries to the files when there are enough of them.
func (s *Segment) Spill() error {
	if len(s.mem.offsets)-s.mem.written[0] < spillEntries {
		return nil
	}
	return s.writeIndexes(false)
}

// Finish completes the files: what was allocated and not needed goes from the log, and the indexes get a last time entry, as
// Kafka writes at roll and close, and everything gathered. The active segment stays active, and readers beside it see its
// memory unchanged.
func (s *Segment) Finish() error {
	must.Hold(s.mem != nil, "finish of the sealed segment %d", s.base)
	if s.mem.allocated {
		if err := s.Truncate(); err != nil {
			return err
		}
	}
	return s.writeIndexes(true)
}

// Seal makes a finished segment answer from its files. The caller holds the log's lock and takes over the writer's use of
// the file, to be released when the segment has been synced.
func (s *Segment) Seal() *Handle {
	must.Hold(s.file.held, "segment %d is sealed while its file rests", s.base)
	s.Forget()
	stamp := s.mem.stamp
	s.stamp.Store(&stamp)
	s.mem, s.file.held = nil, false
	return &s.file
}

func (s *Segment) writeIndexes(complete bool) error {
	m := s.mem
	var out []byte
	for _, e := range m.offsets[m.written[0]:] {
		out = e.append(out)
	}
	if err := s.writeAt(IndexSuffix, out, int64(m.written[0])*OffsetEntrySize, m.fresh); err != nil {
		return err
	}
	out = out[:0]
	for _, e := range m.times[m.written[1]:] {
		out = e.append(out)
	}
	if e, risen := m.lastTime(); complete && risen {
		out = e.append(out)
	}
	if err := s.writeAt(TimeIndexSuffix, out, int64(m.written[1])*TimeEntrySize, m.fresh); err != nil {
		return err
	}
	m.written, m.fresh = [2]int{len(m.offsets), len(m.times)}, false
	return s.writeAborted()
}

func (s *Segment) writeAt(suffix string, data []byte, pos int64, anew bool) error {
	flags := disk.Write | disk.Create
	if anew {
		flags |= disk.Trunc
	} else if len(data) == 0 {
		return nil
	}
	f, err := s.fs.Open(s.Path(suffix), flags)
	if err != nil {
		return fault.Storage("segment.writeIndex", err)
	}
	if len(data) > 0 {
		_, err = f.WriteAt(data, pos)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fault.Storage("segment.writeIndex", err)
	}
	return nil
}

// IndexSyncers returns what makes the index files of a finished segment durable.
func (s *Segment) IndexSyncers() []disk.Syncer {
	out := []disk.Syncer{PathSyncer(s.fs, s.Path(IndexSuffix)), PathSyncer(s.fs, s.Path(TimeIndexSuffix))}
	return append(out, PathSyncer(s.fs, s.Path(TxnIndexSuffix)))
}

// PathSyncer returns a Syncer of a file that is not kept open. A file that is gone needs no syncing.
func PathSyncer(fsys disk.FS, path string) disk.Syncer { return &pathSyncer{fsys, path} }

type pathSyncer struct {
	fs   disk.FS
	path string
}

func (p *pathSyncer) Sync() error {
	f, err := p.fs.Open(p.path, disk.Write)
	if errors.Is(err, disk.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fault.Storage("segment.sync", err)
	}
	err = f.Sync()
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fault.Storage("segment.sync", err)
	}
	return nil
}

// Delete renames the segment's files, the log first, so that it is never served or loaded again, and returns what removes
// them for good. Where a full disk has no room for the log's new name nothing was done; an index that finds none goes at once. Where another file
// keeps its name the log has lost its own (Deleted), and to be called again is what is left. The caller holds the log's lock, so that
// nobody opens a name that is being taken away.
func (s *Segment) Delete() (remove func() error, err error) {
	s.file.closeIdle() // an open file would keep its space, and some systems don't rename one
	s.repair.Lock()
	was := s.broken
	s.broken = fault.Corruption("segment.RebuildIndexes", "%s is deleted", s.Path(LogSuffix))
	s.repair.Unlock()
	again := s.file.lost
	var deleted []string
	for _, suffix := range []string{LogSuffix, IndexSuffix, TimeIndexSuffix, TxnIndexSuffix, SealSuffix} {
		path := s.Path(suffix)
		err := s.fs.Rename(path, path+DeletedSuffix)
		if suffix != LogSuffix && fault.OutOfSpace(err) {
			err = s.fs.Remove(path)
		}
		if errors.Is(err, disk.ErrNotExist) { // indexes that never were, or a deletion that failed half-way and is tried again
			if again {
				deleted = append(deleted, path+DeletedSuffix)
			}
			continue
		}
		if err != nil {
			if suffix == LogSuffix {
				s.repair.Lock()
				s.broken = was
				s.repair.Unlock()
			}
			return nil, fault.Storage("segment.Delete", err)
		}
		s.file.lost = true
		deleted = append(deleted, path+DeletedSuffix)
	}
	return func() error {
		for _, path := range deleted {
			if err := s.fs.Remove(path); err != nil && !errors.Is(err, disk.ErrNotExist) {
				return fault.Storage("segment.Delete", err)
			}
		}
		return nil
	}, nil
}

// Deleted reports whether Delete took the log's name, also where it failed for another file.
func (s *Segment) Deleted() bool { return s.file.lost }

// Retire tells that the log is deleted: the segment's names may soon be another log's.
func (s *Segment) Retire() { s.file.retire() }

// Keep lets the file stay open while nobody uses it. It is called before the segment is used.
func (s *Segment) Keep(k *Handles) { s.file.keep(k) }

// CloseIdle closes the file if nobody uses it.
func (s *Segment) CloseIdle() { s.file.closeIdle() }

// Close gives the active segment's file up. The caller holds the log's lock.
func (s *Segment) Close() {
	s.Forget()
	s.mem = nil
	if s.file.held {
		s.file.held = false
		s.file.Release()
	}
}
