package log

import (
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/segment"
)

// Retired is what Retain deleted and why, for the caller to log.
type Retired struct {
	Segments                int
	Bytes                   int64
	ByTime, BySize, ByStart int          // segments older than retention.ms, above retention.bytes, below the log start
	Start                   kafka.Offset // where the log starts since
}

// Plus sums up what two logs gave away; it starts nowhere.
func (r Retired) Plus(o Retired) Retired {
	return Retired{
		Segments: r.Segments + o.Segments, Bytes: r.Bytes + o.Bytes, ByTime: r.ByTime + o.ByTime, BySize: r.BySize + o.BySize,
		ByStart: r.ByStart + o.ByStart, Start: kafka.NoOffset,
	}
}

// AdvanceStart makes an offset the log start (a metadata snapshot). It is durable when it returns, and survives kill -9:
// Kafka's is forgotten. Segments that lie wholly below go with the next Retain. The caller makes sure that the high
// watermark has passed it. An offset at or below the log start changes nothing.
func (l *Log) AdvanceStart(o kafka.Offset) error {
	s, err := l.NewStart(o)
	if err != nil || s == nil {
		return err
	}
	if err := s.Sync(); err != nil {
		return err
	}
	return l.MoveStart(s)
}

// Start is a log start that is to be (DeleteRecords): Sync makes it durable, beside the writer, then MoveStart makes it
// count.
type Start struct {
	to   kafka.Offset
	save func() error // nil without a ledger
	err  error        // why it was not saved, although the disk works
}

// NewStart begins to move the log start to an offset; nil when it is there already. It says nothing of a log that is
// truncated or deleted before Sync.
func (l *Log) NewStart(o kafka.Offset) (*Start, error) {
	if l.closed {
		return nil, fault.Shutdown("log.NewStart")
	}
	if o <= l.start {
		return nil, nil
	}
	if o > l.end {
		return nil, fault.New("log.NewStart", kafka.ErrOffsetOutOfRange, "offset %d is after the end %d", o, l.end)
	}
	s := &Start{to: o}
	if l.options.Ledger != nil {
		s.save = l.options.Ledger.PlanLogStart(l.options.Partition, o)
	}
	return s, nil
}

// Sync makes the start durable (disk.Syncer). It fails where the disk does; a full one, or a log that is gone, is no failure
// of the disk, and MoveStart tells.
func (s *Start) Sync() error {
	if s.save == nil {
		return nil
	}
	err := s.save()
	if fault.IsKind(err, fault.Disk) {
		return err
	}
	s.err = err
	return nil
}

// MoveStart makes a start count that was synced. A truncation since, to below it, has taken it back, also where the log has grown
// past it again.
func (l *Log) MoveStart(s *Start) error {
	const op = "log.MoveStart"
	switch {
	case s.err != nil:
		return s.err
	case l.closed:
		return fault.Shutdown(op)
	case s.to <= l.start:
		return nil
	case s.to > l.end || s.save != nil && l.savedStart() < s.to:
		return fault.New(op, kafka.ErrNotLeaderOrFollower, "%s was truncated meanwhile, to below offset %d", l.options.Partition, s.to)
	}
	l.advanceStart(s.to)
	return nil
}

func (l *Log) advanceStart(o kafka.Offset) {
	l.mu.Lock()
	l.start = max(l.start, o)
	l.mu.Unlock()
	l.epochs.TruncateFromStart(o)
}

// Retain deletes whole segments from the old end that are below the log start or, where cleanup.policy says delete, too
// old or too much, and never what the high watermark has not passed. It forgets expired producers and transactions that
// are decided for good. It returns how many segments went.
func (l *Log) Retain(now kafka.Instant, highWatermark kafka.Offset) (removed int, err error) {
	if l.closed {
		return 0, fault.Shutdown("log.Retain")
	}
	l.Retired = Retired{}
	wallMs := l.clock.wallMs(now)
	l.mu.Lock()
	l.producers.Passed(highWatermark)
	l.producers.Expire(wallMs, l.config.ProducerExpirationMs)
	l.mu.Unlock()
	goes, err := l.deletable(wallMs, highWatermark)
	count := goes.Segments
	if err != nil || count == 0 {
		return 0, err
	}
	if err := l.settleCut(); err != nil {
		return 0, err
	}
	if l.compacted.swap != nil {
		if err := l.settleSwap(); err != nil {
			return 0, err
		}
		if goes, err = l.deletable(wallMs, highWatermark); err != nil || goes.Segments == 0 {
			return 0, err
		}
		count = goes.Segments
	}
	if count == len(l.segments) {
		if err := l.roll(now, l.end); err != nil {
			return 0, err
		}
	}
	if l.durable() <= l.segments[count].Base() {
		// What producer state is made of goes with the segments, so the snapshot after them must stay whatever happens.
		if err := l.settleAll(); err != nil {
			return 0, err
		}
	}
	for removed < count {
		if err := l.deleteFirst(); err != nil {
			return removed, err
		}
		removed++
	}
	goes.Start = l.start
	l.Retired = goes
	return removed, nil
}

// deletable counts the segments at the old end that may go.
func (l *Log) deletable(wallMs int64, highWatermark kafka.Offset) (goes Retired, err error) {
	keep := l.config.Keep
	excess := int64(0)
	if keep.Delete && keep.RetentionBytes >= 0 {
		excess = l.Size() - keep.RetentionBytes
	}
	for i, s := range l.segments {
		last := i == len(l.segments)-1
		if s.Next() > highWatermark || last && s.Size() == 0 {
			break
		}
		upper := l.end
		if !last {
			upper = l.segments[i+1].Base()
		}
		if upper > highWatermark {
			break
		}
		excess -= s.Size()
		switch {
		case !last && upper <= l.start:
			goes.ByStart++
		case keep.Delete && keep.RetentionBytes >= 0 && excess >= 0:
			goes.BySize++
		case keep.Delete && keep.RetentionMs >= 0:
			age, err := l.ageMs(s, wallMs)
			if err != nil {
				return Retired{}, err
			}
			if age <= keep.RetentionMs {
				return goes, nil
			}
			goes.ByTime++
		default:
			return goes, nil
		}
		goes.Segments++
		goes.Bytes += s.Size()
	}
	return goes, nil
}

// ageMs is how long ago the segment's newest record was; without timestamps, since when this process knows it.
func (l *Log) ageMs(s *segment.Segment, wallMs int64) (int64, error) {
	k, err := s.Look(l.mu.RLocker(), newWindow())
	if err != nil {
		return 0, err
	}
	defer k.Release()
	stamp, err := k.Largest()
	if err != nil {
		return 0, err
	}
	if stamp.Timestamp < 0 {
		return wallMs - s.CreatedMs(), nil
	}
	return wallMs - stamp.Timestamp, nil
}

// deleteFirst removes the oldest segment. Its name is gone durably before the next one goes, so that a crash never
// leaves a hole between segments.
func (l *Log) deleteFirst() error {
	s := l.segments[0]
	l.advanceStart(l.segments[1].Base())
	l.mu.Lock()
	remove, err := s.Delete()
	if err == nil {
		l.segments = append([]*segment.Segment(nil), l.segments[1:]...)
	}
	l.mu.Unlock()
	if err != nil {
		return err
	}
	if err := l.options.FS.SyncDir(l.options.Path); err != nil {
		return fault.Storage("log.Retain", err)
	}
	l.later(remove)
	return l.snapshots.remove(s.Base())
}
