// Package log is one partition's log on disk: segments, indexes, leader epochs, producer state, transactions, retention,
// recovery; and Dir, the log directory that holds many of them.
//
// partition and quorum open a Log and own it; node owns the Dir. A Log has one writer at a time (its owner's mutex):
// appends, rolls, truncation, retention, Dirty and Flushed. Reading is safe beside the writer. The package never
// decides about leadership, high watermarks or acknowledgements, starts no goroutine, and syncs nothing on the append
// path: Dirty says what must be synced, the flush service does it, Flushed takes note.
//
// Invariants: the durable prefix never loses a byte, whatever crashes when (S1); what is on disk below the recovery
// point is believed and never cut (S4); bytes that do not check are never served (S3); a batch is in the log whole or
// not at all (S6); the log start and the end never go back, but for truncation.
package log

import (
	"sync"
	"sync/atomic"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/log/epoch"
	"github.com/milena-io/milena/internal/log/producer"
	"github.com/milena-io/milena/internal/log/segment"
)

// Origin says who appends.
type Origin = producer.Origin

// The origins.
const (
	Client      = producer.Client
	Coordinator = producer.Coordinator
	Follower    = producer.Follower
)

// Ledger keeps the facts of a log that live in its log directory's checkpoints and must be durable before the log goes
// on. Dir is one.
type Ledger interface {
	Checkpointed(tp kafka.TopicPartition) Checkpointed
	SaveLogStart(tp kafka.TopicPartition, o kafka.Offset) error
	// PlanLogStart returns what saves a log start later; by then it is refused when the log was truncated or deleted.
	PlanLogStart(tp kafka.TopicPartition, o kafka.Offset) (save func() error)
	SaveCleaned(tp kafka.TopicPartition, o kafka.Offset) error
	// LowerRecoveryPoint makes sure that no recovery point above o is on disk.
	LowerRecoveryPoint(tp kafka.TopicPartition, o kafka.Offset) error
	SaveRecoveryPoints(points checkpoint.Offsets) error
	// Opened notes that a log has been recovered, so that the directory may be closed cleanly.
	Opened(tp kafka.TopicPartition)
	// Forget drops what is known about a log that is deleted. SaveForgotten makes that durable: before the last of its files
	// goes, and before another log of its name begins.
	Forget(tp kafka.TopicPartition)
	SaveForgotten() error
}

// Room says whether clients may write: an error says why not, and that it passes. disk.Reserve is one.
type Room interface{ Refuse(bytes int) error }

// Owner is what a log asks and tells the owner of its directory; any of it may be nil.
type Owner struct {
	// Room refuses clients' records while the directory is full; nil has room always.
	Room Room
	// Damaged hears of each stretch of a segment that does not check, once, possibly with locks held: it takes note.
	Damaged func(segment.Damage)
}

// Options say which log to open and what is known about it. Dir.Options fills most of them in.
type Options struct {
	FS            disk.FS
	Path          string // the partition's directory
	Partition     kafka.TopicPartition
	TopicID       kafka.TopicID // zero for none
	Config        Config
	Now           kafka.Instant
	Clean         bool         // the log dir was closed cleanly: believe everything
	RecoveryPoint kafka.Offset // everything below was durable
	LogStart      kafka.Offset
	Cleaned       kafka.Offset // everything below was compacted
	AcceptLoss    bool         // come up although records below the recovery point are gone; an operator's decision
	Ledger        Ledger       // nil: nothing outlives a crash but what the segments say
	Shared        Shared
	Owner         Owner
	// Later runs f after delayMs, with no lock held; it removes deleted files. Nil removes them at once.
	Later func(delayMs int64, f func())
}

// Offsets are the positions of a log that matter outside.
type Offsets struct {
	LogStart      kafka.Offset
	LocalLogStart kafka.Offset // where the local segments begin; later than LogStart once older ones are remote
	FirstUnstable kafka.Offset // first offset of the earliest open transaction, or End
	Durable       kafka.Offset // everything below is on stable storage
	End           kafka.Offset
}

// Log is one partition's log.
type Log struct {
	*view
	*durability
	compacted compacted
	// Recovered tells what Open found.
	Recovered Recovery
	// Retired tells what the last Retain deleted.
	Retired Retired

	options   Options
	config    Config
	epochs    *epoch.Cache
	snapshots snapshots
	clock     guardedClock
	left      left
	blank     bool            // there are no files: nothing was ever written, or a full disk had no room for the first one after a truncation
	known     segment.EpochAt // what the checkpoint of the epochs said at Open; nil for nothing
	witness   kafka.Offset    // the highest offset that names of files know, at Open
	closed    bool
}

// view is what readers and the writer share. The writer changes it under the lock; it reads it without.
type view struct {
	mu        sync.RWMutex
	segments  []*segment.Segment // ascending; the last takes appends
	start     kafka.Offset
	end       kafka.Offset
	cuts      uint64       // truncations so far
	passed    atomic.Int64 // the highest high watermark seen
	producers *producer.State
	cold      *Cold
	handles   *segment.Handles
	followed  atomic.Bool     // somebody waits at the end
	headers   sync.Pool       // *[]byte, windows for walking headers
	bodies    sync.Pool       // *[]byte, windows for reading whole batches
	epochAt   segment.EpochAt // nil until the epochs are known
}

// Offsets returns the log's positions.
func (v *view) Offsets() Offsets {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return Offsets{
		LogStart: v.start, LocalLogStart: v.start, FirstUnstable: v.producers.FirstOpen(v.end), End: v.end,
	}
}

// Offsets returns the log's positions.
func (l *Log) Offsets() Offsets {
	o := l.view.Offsets()
	o.Durable = min(l.durable(), o.End)
	return o
}

// LastStable returns the last stable offset under a high watermark: the first offset of the earliest transaction that is
// open or whose marker the high watermark has not passed, and never more than the high watermark.
func (v *view) LastStable(highWatermark kafka.Offset) kafka.Offset {
	if seen := v.passed.Load(); int64(highWatermark) > seen {
		v.passed.CompareAndSwap(seen, int64(highWatermark)) // the next append forgets what was decided below
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	return max(v.producers.LastStable(highWatermark), min(v.start, highWatermark))
}

// Size returns the bytes of all segments' logs.
func (v *view) Size() int64 {
	v.mu.RLock()
	defer v.mu.RUnlock()
	var n int64
	for _, s := range v.segments {
		n += s.Size()
	}
	return n
}

// Segments returns how many segments there are.
func (v *view) Segments() int {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return len(v.segments)
}

// Producers returns what is known of every producer, ascending by id (DescribeProducers).
func (v *view) Producers() []producer.Entry {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.producers.Entries()
}

// Epochs returns the log's leader epochs; the cache is safe beside the writer.
func (l *Log) Epochs() *epoch.Cache { return l.epochs }

// EndOffsetForEpoch answers OffsetForLeaderEpoch.
func (l *Log) EndOffsetForEpoch(e kafka.LeaderEpoch) (kafka.LeaderEpoch, kafka.Offset) {
	l.mu.RLock()
	end := l.end
	l.mu.RUnlock()
	return l.epochs.EndOffsetFor(e, end)
}

// SetConfig takes a new configuration; it counts from the next call on.
func (l *Log) SetConfig(c Config) { l.config = c }

// active returns the segment that takes appends.
func (v *view) active() *segment.Segment { return v.segments[len(v.segments)-1] }

// Sizes of reading windows. A walk over headers reads little; checking and replaying reads in large steps.
const (
	headerWindow = 4 << 10
	bodyWindow   = 256 << 10
)

func newView(shared Shared) *view {
	v := &view{cold: shared.Cold, handles: shared.Handles, producers: producer.New()}
	v.headers.New = func() any { b := make([]byte, 0, headerWindow); return &b }
	v.bodies.New = func() any { b := make([]byte, 0, bodyWindow); return &b }
	return v
}
