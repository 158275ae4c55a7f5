package upkeep

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/log/clean"
	"github.com/milena-io/milena/internal/partition"
)

// cleaner compacts this node's logs (Kafka's LogCleaner): as many at a time as log.cleaner.threads says, those past their
// max.compaction.lag.ms first and then the filthiest, together no faster than log.cleaner.io.max.bytes.per.second. A log
// that does not compact is left alone until the next start, and everything else goes on.
type cleaner struct {
	of    *Upkeep
	looks sync.Mutex // one look at a time, so that no thread is given two logs; taken before mu

	mu          sync.Mutex
	threads     []*partition.Partition // what each works on; nil while it has nothing to do
	last        []partition.Compacted  // what each did last
	uncleanable map[*partition.Partition]bool
	asleep      map[*partition.Partition]asleep
	free        time.Duration // monotonic time when the throttle lets somebody on
	looked      time.Duration // when logs were last looked through
	dirtiest    float64       // ratio, of those that were looked at
	overdueMs   int64
}

// cleanerSettings are the log.cleaner keys, which change while the node runs.
type cleanerSettings struct {
	enable         bool
	threads        int
	buffers        clean.Buffers
	bytesPerSecond float64
}

// cleanerStep is how many bytes a compaction moves before it lets others on.
const cleanerStep = 1 << 20

func newCleaner(u *Upkeep) *cleaner {
	return &cleaner{of: u, uncleanable: map[*partition.Partition]bool{}, asleep: map[*partition.Partition]asleep{}}
}

// settings are those of the newest image.
func (c *cleaner) settings() cleanerSettings {
	v := c.of.o.Layers(c.of.o.Replicas.Image()).Broker(
		"log.cleaner.enable", "log.cleaner.threads", "log.cleaner.dedupe.buffer.size", "log.cleaner.io.buffer.load.factor",
		"log.cleaner.io.buffer.size", "log.cleaner.io.max.bytes.per.second",
	)
	threads := max(v.Int("log.cleaner.threads"), 1)
	return cleanerSettings{
		enable: v.Bool("log.cleaner.enable"), threads: int(v.Int("log.cleaner.threads")),
		buffers: clean.Buffers{
			// As in Kafka, no thread gets more than 2 GiB of the map.
			MapBytes: min(v.Int("log.cleaner.dedupe.buffer.size")/threads, math.MaxInt32),
			MapLoad:  v.Float("log.cleaner.io.buffer.load.factor"),
			IOBytes:  int(v.Int("log.cleaner.io.buffer.size") / threads),
		},
		bytesPerSecond: v.Float("log.cleaner.io.max.bytes.per.second"),
	}
}

// candidate is a log that is due.
type candidate struct {
	p    *partition.Partition
	dirt clean.Dirt
	// asleep: nobody has opened it since the start, and it is due by its files.
	asleep bool
}

// look gives idle threads what is due.
func (c *cleaner) look() error {
	s := c.settings()
	c.looks.Lock()
	defer c.looks.Unlock()
	if c.of.o.Life.Over() || !s.enable {
		return nil
	}
	c.mu.Lock()
	for len(c.threads) < s.threads {
		c.threads, c.last = append(c.threads, nil), append(c.last, partition.Compacted{})
	}
	idle := slices.Contains(c.threads[:s.threads], nil)
	c.mu.Unlock()
	if !idle {
		return nil
	}
	due := c.candidates()
	for i := range s.threads {
		c.mu.Lock()
		busy := c.threads[i] != nil
		c.mu.Unlock()
		if busy {
			continue
		}
		for len(due) > 0 && due[0].asleep && !c.awake(due[0].p) {
			due = due[1:]
		}
		if len(due) == 0 {
			return nil
		}
		p := due[0].p
		due = due[1:]
		c.mu.Lock()
		c.threads[i] = p
		c.mu.Unlock()
		pace := partition.Pace{Buffers: s.buffers, Step: int64(min(max(s.bytesPerSecond, 1), cleanerStep)), Wait: c.wait}
		partition.Compact(p, pace, func(out partition.Compacted) { c.ended(i, p, out) })
	}
	return nil
}

// candidates lists the logs that are due, in their order.
func (c *cleaner) candidates() (due []candidate) {
	dirtiest, overdueMs := 0.0, int64(0)
	for _, p := range c.of.o.Replicas.All() {
		c.mu.Lock()
		bad := c.uncleanable[p]
		c.mu.Unlock()
		if bad {
			continue
		}
		d, now, ok, err := partition.Dirt(p)
		sleeps := false
		if !ok && err == nil {
			d, now, ok, err = c.dirtAsleep(p)
			sleeps = true
		}
		if err != nil {
			c.failed(p, err)
		}
		if !ok {
			continue
		}
		dirtiest, overdueMs = max(dirtiest, d.Ratio()), max(overdueMs, d.OverdueMs)
		if now {
			due = append(due, candidate{p, d, sleeps})
		}
	}
	slices.SortStableFunc(due, func(a, b candidate) int {
		switch {
		case a.dirt.Before(b.dirt):
			return -1
		case b.dirt.Before(a.dirt):
			return 1
		}
		return 0
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looked, c.dirtiest, c.overdueMs = c.of.o.World.Now().Mono, dirtiest, overdueMs
	return due
}

// wait is how long to wait after so many bytes, so that all threads together keep to the throttle.
func (c *cleaner) wait(moved int64) time.Duration {
	rate := c.settings().bytesPerSecond
	now := c.of.o.World.Now().Mono
	c.mu.Lock()
	defer c.mu.Unlock()
	if costs := float64(moved) / rate * float64(time.Second); costs >= 1 {
		c.free = max(c.free, now) + time.Duration(min(costs, float64(time.Minute)))
	}
	return max(c.free-now, 0)
}

// ended takes note of a compaction, and looks for the next.
func (c *cleaner) ended(thread int, p *partition.Partition, out partition.Compacted) {
	c.mu.Lock()
	c.threads[thread] = nil
	if out.Began && out.Err == nil && !out.GivenUp {
		c.last[thread] = out
	}
	c.mu.Unlock()
	switch {
	case out.Err != nil:
		c.failed(p, out.Err)
	case out.GivenUp || !out.Began:
		return // the next look is soon enough
	default:
		c.tell(thread, p, out)
	}
	c.of.o.World.Go(func() { _ = c.look() })
}

// failed takes an error of a log: a directory whose disk failed goes offline, and any other log is not compacted again.
func (c *cleaner) failed(p *partition.Partition, err error) {
	v := c.of.o.Storage.Of(p)
	switch {
	case fault.IsKind(err, fault.Closed) || fault.IsKind(err, fault.Full):
		return
	case fault.IsKind(err, fault.Disk):
		c.of.o.Storage.Lose(v, err)
		return
	}
	c.mu.Lock()
	told := c.uncleanable[p]
	c.uncleanable[p] = true
	c.mu.Unlock()
	if !told {
		c.of.log("kafka.log.LogCleaner").Warn("Unexpected exception thrown when cleaning log "+p.Name().String()+
			". Marking its partition as uncleanable: it is read and written as before, and grows. See milena log verify.",
			"partition", p.Name().String(), "dir", v.Path, "error", err)
	}
}

// tell writes Kafka's line at the end of a cleaning.
func (c *cleaner) tell(thread int, p *partition.Partition, out partition.Compacted) {
	logger, s := c.of.log("kafka.log.LogCleaner"), out.Stats
	if !logger.Enabled(context.Background(), slog.LevelInfo) {
		return
	}
	rate := func(bytes int64, in time.Duration) int64 { return int64(float64(bytes) / max(in.Seconds(), 1e-3)) }
	logger.Info(fmt.Sprintf("Log cleaner thread %d cleaned log %s (dirty section = [%d, %d])", thread, p.Name(), out.Dirt.First, out.UpTo),
		"bytes", s.BytesRead, "ms", out.Took.Milliseconds(), "bytesPerSecond", rate(s.BytesRead, out.Took),
		"indexedBytes", s.MapBytes, "indexMs", out.Mapping.Milliseconds(), "bufferUtilizationPercent", int(100*s.MapUtilization),
		"startBytes", s.BytesRead, "startMessages", s.RecordsRead, "endBytes", s.BytesLeft, "endMessages", s.RecordsLeft,
		"sizeReductionPercent", int(100*(1-s.Recopied())))
	if s.Keyless > 0 {
		logger.Warn(fmt.Sprintf("Found %d invalid messages during compaction.", s.Keyless), "partition", p.Name().String())
	}
}

// forget drops a partition that left this node.
func (c *cleaner) forget(p *partition.Partition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.uncleanable, p)
	delete(c.asleep, p)
}

// CleanerFigures are what the cleaner's MBeans tell.
type CleanerFigures struct {
	MaxClean, MaxDelay, SinceLastRun time.Duration
	MaxBuffer, MaxDirty, Recopied    float64
}

func (c *cleaner) figures() CleanerFigures {
	now := c.of.o.World.Now().Mono
	c.mu.Lock()
	defer c.mu.Unlock()
	out := CleanerFigures{MaxDirty: c.dirtiest, MaxDelay: time.Duration(c.overdueMs) * time.Millisecond, SinceLastRun: now - max(c.looked, c.of.o.Began)}
	var read, left int64
	for _, l := range c.last {
		out.MaxClean = max(out.MaxClean, l.Took)
		out.MaxBuffer = max(out.MaxBuffer, l.Stats.MapUtilization)
		read += l.Stats.BytesRead
		left += l.Stats.BytesLeft
	}
	if read > 0 {
		out.Recopied = float64(left) / float64(read)
	}
	return out
}

// uncleanableIn counts the logs of a directory that do not compact, and their bytes.
func (c *cleaner) uncleanableIn(dir string) (count int, bytes int64) {
	c.mu.Lock()
	var all []*partition.Partition
	for p := range c.uncleanable {
		all = append(all, p)
	}
	c.mu.Unlock()
	for _, p := range all {
		if v := c.of.o.Storage.Of(p); v != nil && v.Path == dir {
			count++
			bytes += p.Standing().Bytes
		}
	}
	return count, bytes
}
