package log

import (
	"errors"
	"math"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/log/producer"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/mutant"
	"github.com/milena-io/milena/internal/record"
)

// Appended is what became of a batch.
type Appended struct {
	Base        kafka.Offset
	Last        kafka.Offset
	TimestampMs int64 // LogAppendTime of the batch, -1 under CreateTime; of a duplicate, its original's timestamp
	LogStart    kafka.Offset
	Duplicate   bool // the batch is a retry; Base and Last are those of the original, and nothing was written
	Bytes       int
}

// AppendAsLeader takes a batch from a client or a coordinator: validates it, gives it offsets, the epoch and where
// configured a timestamp or another codec, and writes it. The batch is changed in place and not kept. After any error
// the log is as it was.
//
// Codes: CORRUPT_MESSAGE, MESSAGE_TOO_LARGE, RECORD_LIST_TOO_LARGE, INVALID_RECORD and INVALID_TIMESTAMP (as
// *record.Invalid where records are named), UNSUPPORTED_COMPRESSION_TYPE, INVALID_PRODUCER_EPOCH,
// OUT_OF_ORDER_SEQUENCE_NUMBER, INVALID_TXN_STATE, TRANSACTION_COORDINATOR_FENCED, KAFKA_STORAGE_ERROR.
func (l *Log) AppendAsLeader(now kafka.Instant, b record.Batch, epoch kafka.LeaderEpoch, origin Origin) (Appended, error) {
	const op = "log.AppendAsLeader"
	if l.closed {
		return Appended{}, fault.Shutdown(op)
	}
	if err := l.settleCut(); err != nil { // whom it takes for a duplicate depends on it
		return Appended{}, err
	}
	b, maxTs, err := l.admit(now, b, origin)
	if err != nil {
		return Appended{}, err
	}
	if d, retried := l.producers.Duplicate(b, origin); retried {
		return Appended{
			Base: d.FirstOffset(), Last: d.LastOffset, TimestampMs: d.Timestamp, LogStart: l.start, Duplicate: true,
		}, nil
	}
	if err := l.checkProducer(b, origin); err != nil {
		return Appended{}, err
	}
	if origin == Client && l.crowded() {
		return Appended{}, fault.New(op, kafka.ErrKafkaStorageError,
			"as many files as may be open (ulimit -n) hold records that are not durable yet, and %s needs another; it passes", l.options.Partition)
	}
	if l.options.Owner.Room != nil && origin == Client {
		if err := l.options.Owner.Room.Refuse(len(b)); err != nil {
			return Appended{}, err
		}
	}
	if int64(len(b)) > l.config.Roll.SegmentBytes {
		return Appended{}, fault.New(op, kafka.ErrRecordListTooLarge,
			"Message batch size is %d bytes in append to partition %s, which exceeds the maximum configured segment size of %d.",
			len(b), l.options.Partition, l.config.Roll.SegmentBytes)
	}
	stamp := int64(-1)
	if l.config.Accept.LogAppendTime {
		stamp, maxTs = now.WallMs, now.WallMs
	}
	if logAppend := l.config.Accept.LogAppendTime; b.MaxTimestamp() != maxTs || b.IsLogAppendTime() != logAppend {
		b.SetMaxTimestamp(maxTs, logAppend)
	}
	b.SetBaseOffset(l.end)
	b.SetLeaderEpoch(epoch)
	if err := l.write(now, b); err != nil {
		return Appended{}, err
	}
	return Appended{Base: b.BaseOffset(), Last: b.LastOffset(), TimestampMs: stamp, LogStart: l.start, Bytes: len(b)}, nil
}

// AppendAsFollower writes a batch whose offsets and epoch are given: a follower's, or one that Raft has ordered. The
// bytes are not changed. Offsets may leave gaps, as compaction does on the leader, but never go back.
func (l *Log) AppendAsFollower(now kafka.Instant, b record.Batch) (Appended, error) {
	const op = "log.AppendAsFollower"
	if l.closed {
		return Appended{}, fault.Shutdown(op)
	}
	if err := b.CheckCRC(); err != nil {
		return Appended{}, err
	}
	if b.IsControl() {
		if _, _, err := markerOf(b); err != nil { // it could not be applied after it was written
			return Appended{}, err
		}
	}
	if b.BaseOffset() < l.end {
		return Appended{}, fault.New(op, kafka.ErrUnknownServerError, "offset %d of %s comes after %d", b.BaseOffset(),
			l.options.Partition, l.end)
	}
	if err := l.settleCut(); err != nil {
		return Appended{}, err
	}
	if err := l.write(now, b); err != nil {
		return Appended{}, err
	}
	if mutant.On(mutant.FollowerProducers) {
		l.producers = producer.New()
	}
	return Appended{Base: b.BaseOffset(), Last: b.LastOffset(), TimestampMs: -1, LogStart: l.start, Bytes: len(b)}, nil
}

// write puts a finished batch at the end, after a roll if the active segment is full. The caller has settled what was left of a
// truncation.
func (l *Log) write(now kafka.Instant, b record.Batch) error {
	s, err := l.writable(now, b)
	if err != nil {
		return err
	}
	if err := l.mend(s); err != nil {
		return err
	}
	if err := s.Spill(); err != nil {
		return err
	}
	if err := s.Write(b); err != nil {
		l.left.torn = true
		_ = l.mend(s) // or before the next write
		return err
	}
	limits := l.limits(s)
	l.epochs.Assign(b.LeaderEpoch(), b.BaseOffset()) // first, so that nobody sees the records without their epoch
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.followed.Load() {
		s.Remember(l.options.Shared.Tails)
	}
	s.Publish(b, limits)
	l.end = b.NextOffset()
	l.producers.Passed(kafka.Offset(l.passed.Load()))
	return l.noteTxn(s, b, now.WallMs)
}

// mend takes away what a failed write left after the end, before anything else is written there: a shorter batch would
// not cover it, and recovery might take it for one that was appended.
func (l *Log) mend(s *segment.Segment) error {
	if !l.left.torn {
		return nil
	}
	if err := s.Truncate(); err != nil {
		return err
	}
	l.left.torn = false
	return nil
}

// writable returns the active segment with room for the batch.
func (l *Log) writable(now kafka.Instant, b record.Batch) (*segment.Segment, error) {
	if err := l.materialise(); err != nil {
		return nil, err
	}
	s := l.active()
	if err := l.activateLast(); err != nil {
		return nil, err
	}
	if !s.Full(l.limits(s), b, now.WallMs) || s.Size() == 0 && b.LastOffset()-s.Base() <= math.MaxInt32 {
		return s, nil
	}
	base := max(l.end, b.LastOffset()-math.MaxInt32)
	hole := base > l.end
	if err := l.roll(now, base); err != nil {
		return nil, err
	}
	if hole {
		return l.active(), l.settleHole(base)
	}
	return l.active(), nil
}

// activateLast makes the last segment take appends; after a clean start nothing has needed that yet.
func (l *Log) activateLast() error {
	s := l.active()
	if s.Active() {
		return s.Hold()
	}
	if _, err := l.aborted(s); err != nil { // rebuilds a transaction index that does not parse
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return s.Activate(newWindow())
}

// settleHole ends the log at the base of a segment that was just begun beyond its end, and makes that durable with its
// recovery point: recovery takes a hole between segments above the recovery point for a lost tail.
func (l *Log) settleHole(base kafka.Offset) error {
	l.mu.Lock()
	l.end = base
	l.mu.Unlock()
	if err := l.settleAll(); err != nil {
		return err
	}
	if l.options.Ledger == nil {
		return nil
	}
	return l.options.Ledger.SaveRecoveryPoints(checkpoint.Offsets{l.options.Partition: base})
}

// MaybeRoll closes a segment that has waited longer than segment.ms although nothing is appended.
func (l *Log) MaybeRoll(now kafka.Instant) error {
	if s := l.active(); l.closed || !s.Aged(l.limits(s), now.WallMs) {
		return nil
	}
	if err := l.settleCut(); err != nil {
		return err
	}
	return l.roll(now, l.end)
}

// create makes a segment that takes appends.
func (l *Log) create(base kafka.Offset, nowMs int64) (*segment.Segment, error) {
	allocate := int64(0)
	if l.config.Roll.Preallocate {
		allocate = min(l.config.Roll.SegmentBytes, math.MaxInt32)
	}
	s, err := segment.Create(l.options.FS, l.options.Path, base, nowMs, allocate)
	if err != nil {
		return nil, err
	}
	l.snapshots.changed = true
	s.Keep(l.options.Shared.Handles)
	s.Tell(l.options.Owner.Damaged)
	return s, nil
}

// roll seals the active segment and begins a new one. Nothing is synced here but for a log that was never flushed: the old segment's bytes and indexes, the
// snapshot and the new name are chores of the next flush. The caller has settled what was left of a truncation.
func (l *Log) roll(now kafka.Instant, base kafka.Offset) error {
	if err := l.activateLast(); err != nil {
		return err
	}
	old := l.active()
	if err := l.mend(old); err != nil {
		return err
	}
	if err := old.Finish(); err != nil {
		return err
	}
	if err := old.WriteSeal(base); err != nil {
		return err
	}
	if l.durable() <= l.segments[0].Base() {
		// Nothing was flushed yet. POSIX keeps no order among names, and with this one and not the first the log would begin here.
		if err := dirOf(l).Sync(); err != nil {
			return err
		}
	}
	snapshot, err := l.snapshots.write(base, l.producers)
	if err != nil {
		return err
	}
	s, err := l.create(base, now.WallMs)
	if err != nil {
		return err
	}
	l.mu.Lock()
	handle := old.Seal()
	old.SetNext(base)
	l.segments = append(l.segments, s)
	l.mu.Unlock()
	past := base - 1
	if l.config.Roll.Preallocate {
		past = base // a flush under way may have synced the records, and not that the file ends there
	}
	l.chores = append(l.chores, chore{past: past, sync: old, release: handle})
	l.add(base, old.IndexSyncers()...)
	l.add(base, snapshot...)
	l.add(base, dirOf(l))
	l.activate(s)
	return nil
}

// dirOf returns what makes the names in the log's directory durable.
func dirOf(l *Log) disk.Syncer { return dirSyncer{l.options.FS, l.options.Path} }

// dirSyncer makes a directory's names durable. One that is gone was deleted beside the flush.
type dirSyncer struct {
	fs   disk.FS
	path string
}

func (d dirSyncer) Sync() error {
	if err := d.fs.SyncDir(d.path); err != nil && !errors.Is(err, disk.ErrNotExist) {
		return fault.Storage("log.SyncDir", err)
	}
	return nil
}

// settleAll makes everything durable on the caller's time.
func (l *Log) settleAll() error { return l.settle(l.end) }
