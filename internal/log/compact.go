package log

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"sync"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/clean"
	"github.com/milena-io/milena/internal/log/segment"
)

const compactOp = "log.Compact"

// errMoved ends a compaction whose segments are no longer what they were when it began: the log was truncated, closed or
// deleted, or retention took them. Nothing is lost by giving it up.
var errMoved = errors.New("the log has changed")

// Abandoned reports whether a compaction ended because the log has changed under it, or is closed, or the disk is full: the
// next one begins anew.
func Abandoned(err error) bool {
	return errors.Is(err, errMoved) || fault.IsKind(err, fault.Closed) || errors.Is(err, errNoRoom)
}

var errNoRoom = errors.New("no room for a compaction")

// Dirt tells what there is to compact in a log (clean.Judge). Safe beside the writer.
func Dirt(l *Log, now kafka.Instant, highWatermark kafka.Offset, p clean.Policy) (clean.Dirt, error) {
	_, dirt, err := l.dirt(now, highWatermark, p)
	return dirt, err
}

func (l *Log) dirt(now kafka.Instant, highWatermark kafka.Offset, p clean.Policy) ([]*segment.Segment, clean.Dirt, error) {
	b := clean.Bounds{Stable: min(l.LastStable(highWatermark), l.durable()), Checkpoint: l.compacted.get()}
	if b.Checkpoint == 0 {
		b.Checkpoint = kafka.NoOffset
	}
	l.mu.RLock()
	segments := slices.Clone(l.segments)
	b.LogStart, b.End = l.start, l.end
	facts := make([]clean.Segment, len(segments))
	for i, s := range segments {
		facts[i] = clean.Segment{Base: s.Base(), Bytes: s.Size(), FirstMs: -1, LargestMs: -1}
	}
	l.mu.RUnlock()
	if len(segments) == 0 {
		return nil, clean.Dirt{}, errMoved // the log is being emptied
	}
	if p.MinLagMs > 0 || p.MaxLagMs < math.MaxInt64 {
		for i, s := range segments[:len(segments)-1] {
			if i+1 < len(segments) && segments[i+1].Base() <= b.Checkpoint {
				continue // it is clean
			}
			if err := l.stamps(s, &facts[i]); err != nil {
				return nil, clean.Dirt{}, err
			}
		}
	}
	return segments, clean.Judge(facts, b, p, now.WallMs), nil
}

// stamps reads a segment's timestamps; without any, it is as old as the time since when this process knows it.
func (l *Log) stamps(s *segment.Segment, to *clean.Segment) error {
	return l.looked(s, func(k *segment.Look) error {
		largest, err := k.Largest()
		if err != nil {
			return err
		}
		if to.LargestMs = largest.Timestamp; to.LargestMs < 0 {
			to.LargestMs = s.CreatedMs()
		}
		to.FirstMs, err = k.FirstTimestamp()
		return err
	})
}

// looked shows a segment to f; one that has gone is errMoved.
func (l *Log) looked(s *segment.Segment, f func(*segment.Look) error) error {
	window := l.headers.Get().(*[]byte)
	defer l.headers.Put(window)
	l.mu.RLock()
	if !slices.Contains(l.segments, s) {
		l.mu.RUnlock()
		return errMoved
	}
	k, err := s.Look(l.mu.RLocker(), *window)
	l.mu.RUnlock()
	if err != nil {
		return err
	}
	defer k.Release()
	return f(&k)
}

// CompactOptions are what a compaction needs to know besides the log.
type CompactOptions struct {
	Policy        clean.Policy
	Buffers       clean.Buffers
	IndexInterval int64 // index.interval.bytes
	HighWatermark kafka.Offset
	// Writer is the mutex of the log's writer. A compaction takes it when new segments are put in the place of old ones, and
	// at its end, and not while it reads, copies and syncs.
	Writer sync.Locker
}

// Compaction is a compaction of a log under way: clean.Cleaning on its segments. It keeps them open until it ends.
type Compaction struct {
	Dirt    clean.Dirt
	Records *clean.Cleaning
	l       *Log
	writer  sync.Locker
	cuts    uint64 // truncations before it
	sources []*segment.Segment
	looks   []segment.Look

	halfNamed bool // an output's files are .swap in part, and what tells that is to stay
}

// Compact begins a compaction of all of a log that is dirty, whether that is due or not; nil when nothing is. Safe beside the
// writer, and one at a time. The caller steps it to its end, which End tells it.
func Compact(l *Log, now kafka.Instant, o CompactOptions) (*Compaction, error) {
	if err := l.settleBefore(o.Writer); err != nil {
		return nil, err
	}
	l.mu.RLock()
	cuts := l.cuts // before anything is read of what a truncation may take
	l.mu.RUnlock()
	segments, dirt, err := l.dirt(now, o.HighWatermark, o.Policy)
	if err != nil || dirt.CleanableBytes == 0 {
		return nil, err
	}
	segments = segments[:slices.IndexFunc(segments, func(s *segment.Segment) bool { return s.Base() >= dirt.Until })]
	if err := l.epochs.Sync(); err != nil { // an epoch may lose the batch that began it, and recovery would see it begin with the next
		return nil, err
	}
	c := &Compaction{Dirt: dirt, l: l, writer: o.Writer, cuts: cuts, sources: segments}
	job, err := c.job(now, o)
	if err != nil {
		c.release()
		return nil, err
	}
	c.Records = clean.New(job)
	return c, nil
}

func (c *Compaction) job(now kafka.Instant, o CompactOptions) (clean.Job, error) {
	l := c.l
	job := clean.Job{
		FS: l.options.FS, Dir: l.options.Path, Dirt: c.Dirt, Policy: o.Policy, Buffers: o.Buffers, NowMs: now.WallMs,
		IndexInterval: o.IndexInterval, Producers: clean.LastRecords(l.Producers()), Replace: c.replace,
	}
	entries, err := l.options.FS.List(l.options.Path)
	if err != nil {
		return job, fault.Storage(compactOp, err)
	}
	sizes := map[string]int64{}
	for _, e := range entries {
		sizes[e.Name] = e.Size
	}
	l.mu.RLock()
	for _, s := range c.sources {
		if !slices.Contains(l.segments, s) {
			l.mu.RUnlock()
			return job, errMoved
		}
		k, err := s.Look(l.mu.RLocker(), make([]byte, 0, headerWindow))
		if err != nil {
			l.mu.RUnlock()
			return job, err
		}
		c.looks = append(c.looks, k)
	}
	l.mu.RUnlock()
	for i, s := range c.sources {
		// What readers of the old files may still ask of their indexes is in memory once these have lost their names.
		if _, err := l.aborted(s); err != nil {
			return job, err
		}
		if _, err := c.looks[i].Largest(); err != nil && !fault.IsKind(err, fault.Corrupt) {
			return job, err
		}
		job.Sources = append(job.Sources, clean.Source{
			File: c.looks[i].File(), CreatedMs: s.CreatedMs(),
			Segment: clean.Segment{
				Base: s.Base(), Bytes: c.looks[i].Size(), IndexBytes: sizes[segment.Name(s.Base(), segment.IndexSuffix)],
				TimeIndexBytes: sizes[segment.Name(s.Base(), segment.TimeIndexSuffix)],
			},
		})
	}
	i := sourceOf(c.sources, c.Dirt.First)
	if job.From, err = c.looks[i].Before(c.Dirt.First); err != nil {
		return job, err
	}
	job.Aborted, err = l.AbortedTransactions(c.sources[0].Base(), c.Dirt.Until)
	return job, err
}

func sourceOf(sources []*segment.Segment, o kafka.Offset) int {
	i, found := slices.BinarySearchFunc(sources, o, func(s *segment.Segment, o kafka.Offset) int { return cmp.Compare(s.Base(), o) })
	if !found {
		i--
	}
	return max(i, 0)
}

// Step goes on for about so many bytes and returns how many were read and written. It blocks on the disk. After an error
// the compaction is over.
func (c *Compaction) Step(bytes int64) (done bool, moved int64, err error) {
	if room := c.l.options.Owner.Room; room != nil && room.Refuse(int(bytes)) != nil {
		return false, 0, errNoRoom
	}
	return c.Records.Step(bytes)
}

// End gives back what the compaction held. After the last step, with done, it notes how far the log is clean now;
// otherwise the segments that are in their place stay and what is not finished goes.
func (c *Compaction) End(done bool) error {
	defer c.release()
	c.writer.Lock()
	defer c.writer.Unlock()
	if c.l.closed {
		return fault.Shutdown(compactOp) // its directory may be another log's: the next start removes what is left
	}
	if s := c.l.compacted.swap; s != nil {
		s.keep(c)
	}
	if !done {
		if !c.halfNamed {
			c.Records.Abandon()
		}
		return nil
	}
	if !c.standing(c.sources[:0]) {
		return errMoved
	}
	return c.l.setCleaned(c.Records.CleanedUpTo())
}

func (c *Compaction) release() {
	for i := range c.looks {
		c.looks[i].Release()
	}
	c.looks = nil
}

// standing reports whether the log is open, was not truncated since the compaction began, and holds these segments, one
// after the other and none of them the last. Called with the writer's mutex.
func (c *Compaction) standing(sources []*segment.Segment) bool {
	if c.l.closed || c.l.cuts != c.cuts {
		return false
	}
	if len(sources) == 0 {
		return true
	}
	at := slices.Index(c.l.segments, sources[0])
	return at >= 0 && at+len(sources) < len(c.l.segments) && slices.Equal(c.l.segments[at:at+len(sources)], sources)
}

// compacted is how far a log is clean, as the cleaner's checkpoint has it.
type compacted struct {
	mu    sync.Mutex
	clean kafka.Offset // 0: it was never compacted
	swap  *swap        // under way; it is the writer's
}

func (d *compacted) get() kafka.Offset {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.clean
}

// setCleaned notes how far the log is clean, durably: forgetting it costs a compaction of all there is.
func (l *Log) setCleaned(o kafka.Offset) error {
	if l.options.Ledger != nil {
		if err := l.options.Ledger.SaveCleaned(l.options.Partition, o); err != nil {
			return err
		}
	}
	l.compacted.set(o)
	return nil
}

func (d *compacted) set(o kafka.Offset) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clean = o
}

// lowerCleaned takes it back when the log is cut below it: what comes in the place of the old records is dirty.
func (l *Log) lowerCleaned(o kafka.Offset) error {
	if l.compacted.get() <= o {
		return nil
	}
	return l.setCleaned(o)
}
