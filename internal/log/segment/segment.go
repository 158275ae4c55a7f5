package segment

import (
	"errors"
	"math"
	"sync"
	"sync/atomic"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// Stamp is the largest timestamp of a segment and the last offset of the first batch that has it.
type Stamp struct {
	Timestamp int64 // ms; -1 for none
	Offset    kafka.Offset
}

// NoStamp is the Stamp of a segment without timestamps.
var NoStamp = Stamp{Timestamp: -1, Offset: kafka.NoOffset}

// Limits say when a segment is full and how dense its indexes are.
type Limits struct {
	SegmentBytes       int64 // segment.bytes
	SegmentMs          int64 // segment.ms
	JitterMs           int64 // what jitter takes off SegmentMs for this segment
	IndexBytes         int64 // segment.index.bytes
	IndexIntervalBytes int64 // index.interval.bytes
}

// Segment is one segment. It is active while its indexes are in memory; otherwise it is sealed, and its index files
// are complete.
type Segment struct {
	fs        disk.FS
	dir       string
	base      kafka.Offset
	createdMs int64
	file      Handle
	size      int64
	next      kafka.Offset          // after the last record
	mem       *memory               // nil when sealed
	stamp     atomic.Pointer[Stamp] // of a sealed segment, nil until known
	reads     reads
	damages   damages
	repair    sync.Mutex // held while an index is rebuilt or a cache filled
	broken    error      // why rebuilding the indexes is in vain: the log itself does not check, or is deleted
	aborted   []Aborted  // nil until loaded; an active segment's is
	txnOnDisk int        // how many of aborted stand in the file; -1 when the file is to be written anew
}

// Create makes an empty active segment. The caller makes its name durable. With allocate its file has that many bytes from
// the beginning, zeros behind the data, until Finish takes off what was not needed (preallocate; FileRecords.open and trim of
// Apache Kafka 4.3).
func Create(fsys disk.FS, dir string, base kafka.Offset, nowMs, allocate int64) (*Segment, error) {
	s := &Segment{fs: fsys, dir: dir, base: base, createdMs: nowMs, next: base, aborted: []Aborted{}}
	f, err := fsys.Open(s.Path(LogSuffix), disk.Write|disk.Create|disk.Trunc)
	if err == nil && allocate > 0 {
		if err = f.Truncate(allocate); err != nil {
			_ = f.Close()
		}
	}
	if err != nil {
		// A file that was made all the same must not stand between later ones.
		_ = fsys.Remove(s.Path(LogSuffix))
		return nil, fault.Storage("segment.Create", err)
	}
	s.file.adopt(f)
	s.file.held = true
	s.mem = newMemory(base)
	s.mem.mark(spot{base, 0})
	s.mem.allocated = allocate > 0
	return s, nil
}

// Unwritten returns an active segment that has no file yet and takes no appends.
func Unwritten(fsys disk.FS, dir string, base kafka.Offset, nowMs int64) *Segment {
	return &Segment{fs: fsys, dir: dir, base: base, createdMs: nowMs, next: base, aborted: []Aborted{}}
}

// Existing returns a sealed segment of a known size; next is the base of the segment after it, or what the caller
// finds out for the last one.
func Existing(fsys disk.FS, dir string, base kafka.Offset, size int64, next kafka.Offset, hasTxnIndex bool, nowMs int64) *Segment {
	s := &Segment{fs: fsys, dir: dir, base: base, createdMs: nowMs, size: size, next: next}
	if !hasTxnIndex {
		s.aborted = []Aborted{}
	}
	return s
}

// Path returns the path of one of the segment's files.
func (s *Segment) Path(suffix string) string { return s.dir + "/" + Name(s.base, suffix) }

// Base returns the offset in the segment's name.
func (s *Segment) Base() kafka.Offset { return s.base }

// Next returns the offset after the last record.
func (s *Segment) Next() kafka.Offset { return s.next }

// Size returns the bytes of the log file.
func (s *Segment) Size() int64 { return s.size }

// Active reports whether the segment takes appends.
func (s *Segment) Active() bool { return s.mem != nil }

// Allocated reports whether the file is longer than what was written, as Create made it.
func (s *Segment) Allocated() bool { return s.mem != nil && s.mem.allocated }

// CreatedMs returns the wall time when the segment was created or opened.
func (s *Segment) CreatedMs() int64 { return s.createdMs }

// Full reports whether a batch belongs into a new segment, by Kafka's rules: size, time since the first batch, a full
// index, or an offset too far from the base (point 25 of the places where clones go wrong).
func (s *Segment) Full(l Limits, b record.Batch, nowMs int64) bool {
	if s.mem == nil { // the arguments of must.Hold would be allocated with each append
		must.Hold(false, "asked whether sealed segment %d is full", s.base)
	}
	return s.size > l.SegmentBytes-int64(len(b)) ||
		s.size > 0 && s.waitedMs(b.MaxTimestamp(), nowMs) > l.SegmentMs-l.JitterMs ||
		int64(len(s.mem.offsets)) >= l.IndexBytes/OffsetEntrySize ||
		int64(len(s.mem.times)) >= l.IndexBytes/TimeEntrySize-1 ||
		b.LastOffset()-s.base > math.MaxInt32
}

// Aged reports whether a segment that has records should be rolled though nothing is appended. Both its first record and
// its file are that old: a stream of records from last year must not get a segment for each look.
func (s *Segment) Aged(l Limits, nowMs int64) bool {
	limit := l.SegmentMs - l.JitterMs
	return s.mem != nil && s.size > 0 && s.waitedMs(nowMs, nowMs) > limit && nowMs-s.createdMs > limit
}

// waitedMs is how long the segment has waited to be rolled: from its first batch's timestamp to ts, or from its
// creation when its batches carry none.
func (s *Segment) waitedMs(ts, nowMs int64) int64 {
	if s.mem.first >= 0 {
		return ts - s.mem.first
	}
	return nowMs - s.createdMs
}

// Write puts a batch after the last one; Publish makes it visible. After an error the log is as before, and what was
// written of the batch is overwritten by the next.
func (s *Segment) Write(b record.Batch) error {
	if s.mem == nil {
		must.Hold(false, "write to the sealed segment %d", s.base)
	}
	if err := s.Hold(); err != nil {
		return err
	}
	if _, err := s.file.file.WriteAt(b, s.size); err != nil {
		return fault.Storage("segment.Write", err)
	}
	return nil
}

// Publish takes the written batch into size, offsets and indexes. The caller holds the log's lock.
func (s *Segment) Publish(b record.Batch, l Limits) {
	pos, size := s.size, int64(len(b))
	s.mem.note(b, pos, size, l.IndexIntervalBytes)
	s.mem.sealing.take(b, pos)
	s.reads.checked.add(pos, pos+size)
	if s.mem.recent != nil {
		s.mem.recent.add(b, pos)
	}
	s.size += size
	s.next = b.NextOffset()
}

// Truncate cuts the file to the published size, after a failed write left more.
func (s *Segment) Truncate() error {
	if err := s.Hold(); err != nil {
		return err
	}
	if err := s.file.file.Truncate(s.size); err != nil {
		return fault.Storage("segment.Truncate", err)
	}
	s.mem.allocated = false
	return nil
}

// Sync makes the log file durable (disk.Syncer). A file with bytes that nobody synced is open: the active
// segment's is held, a sealed one's is kept open by whoever still wants it synced. A file that is neither open nor there was deleted beside the flush and needs no syncing.
func (s *Segment) Sync() error {
	f, err := s.file.acquire(s)
	if errors.Is(err, disk.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer s.file.Release()
	if err := f.Sync(); err != nil {
		return fault.Storage("segment.Sync", err)
	}
	return nil
}

// Written is Sync for a file on a volume that was synced as a whole: it tells of failed writing.
func (s *Segment) Written() error {
	f, err := s.file.acquire(s)
	if err != nil {
		return err
	}
	defer s.file.Release()
	if err := disk.Written(f); err != nil {
		return fault.Storage("segment.Written", err)
	}
	return nil
}

// Begin starts the writing that Sync waits for (disk.Beginner), where the file is open and its disk can.
func (s *Segment) Begin(from, n int64) {
	if f, ok := s.file.opened(); ok {
		if b, ok := f.(disk.Beginner); ok {
			b.Begin(from, n)
		}
		s.file.Release()
	}
}
