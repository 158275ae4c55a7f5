// Package upkeep is what a node does in the background about what is in its log directories: checkpoints, retention, compaction,
// the scrub, recovery of logs that nobody has asked for yet, and a watch over flushes that hang.
//
// node starts it when the broker is unfenced and stops it before the logs are closed. It works over storage and partition, which
// do the work; here it is decided when, on which log, and how fast. It serves nobody, makes no replica and never closes a log.
//
// Invariants: each chore has one timer at most, those of a directory's partitions one for each directory, so that none waits for another's
// disk, and none after Stop; a log that fails a chore is left alone and everything else
// goes on; a directory whose disk fails one is given up by storage, and by nobody else.
package upkeep

import (
	"log/slog"
	"slices"
	"time"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/storage"
	"github.com/milena-io/milena/internal/world"
)

// Options is what the background work is given.
type Options struct {
	World   world.World
	Static  config.Values                    // the node's static keys
	Layers  func(*image.Image) config.Layers // the places that a broker's keys take their values from in an image
	Storage *storage.Storage
	Logger  *slog.Logger
	Began   time.Duration // monotonic time of the node's start
	// Recovering is told every second how many logs of an unclean stop are recovered, and at the end that all are; nil has the
	// log tell it, where it takes longer than a second.
	Recovering func(done, total int)
	// Recovered is told once no log is left that an unclean stop makes necessary to recover.
	Recovered func()
	// Stalls hears that the log was told of a flush that hangs, or of its end. Of one that is over before WatchFlushes looks it hears
	// nothing, though Stalled may have listed it. May be nil.
	Stalls func()
	// Scrubbed hears of a log whose sealed segments were read without damage; may be nil.
	Scrubbed func(*partition.Partition)
	Replicas Replicas
	Life     Life
}

// Replicas are the node's partitions.
type Replicas interface {
	All() []*partition.Partition // by name, in a slice of the caller's own
	// Image is the newest image that is acted on.
	Image() *image.Image
}

// Life is how long the node goes on.
type Life interface {
	Over() bool // it stops, or cannot go on
	Fail(error) // it cannot
}

// Upkeep is the background work of one node.
type Upkeep struct {
	o       Options
	chores  chores
	cleaner *cleaner
	scrub   scrub
}

// New prepares it; nothing is done before Start.
func New(o Options) *Upkeep {
	u := &Upkeep{o: o, chores: chores{timers: map[string]world.Timer{}}}
	u.cleaner, u.scrub.of = newCleaner(u), u
	return u
}

// Start begins it, when the node has its replicas: what happens now and then, and after an unclean stop the recovery of logs that
// nobody has asked for yet. It waits for no disk: the next heartbeat is its caller's.
func (u *Upkeep) Start() {
	u.eachEvery("replica.high.watermark.checkpoint.interval.ms", func(v *storage.Volume) error { return u.checkpoint(v, false) })
	u.eachEvery("log.flush.offset.checkpoint.interval.ms", func(v *storage.Volume) error { return u.checkpoint(v, true) })
	u.eachEvery("milena.recovery.point.interval.ms", func(v *storage.Volume) error { return u.checkpoint(v, true) })
	u.eachEvery("log.retention.check.interval.ms", u.retain)
	u.o.Storage.Space.Begin(u.retain)
	u.every("log.cleaner.backoff.ms", u.cleaner.look)
	u.scrub.schedule()
	u.scheduleFlushes()
	u.each("files that are held", holdEvery, u.easeHolds)
	u.WatchFlushes()
	u.Recover(slices.DeleteFunc(u.o.Replicas.All(), func(p *partition.Partition) bool {
		v := u.o.Storage.Of(p)
		if v.Offline() != nil {
			return true
		}
		clean, _ := v.Dir.Clean()
		return clean
	}))
	u.o.World.Go(u.o.Storage.Settle)
}

// Stop ends it: nothing is begun any more. What is being compacted or read ends with its partition.
func (u *Upkeep) Stop() { u.chores.stop() }

// Forget drops a partition that left this node.
func (u *Upkeep) Forget(p *partition.Partition) { u.cleaner.forget(p) }

// Cleaner tells how compaction goes.
func (u *Upkeep) Cleaner() CleanerFigures { return u.cleaner.figures() }

// Uncleanable counts the logs of a directory that do not compact, and their bytes.
func (u *Upkeep) Uncleanable(dir string) (count int, bytes int64) {
	return u.cleaner.uncleanableIn(dir)
}

// Scrub tells how the check of sealed segments goes.
func (u *Upkeep) Scrub() ScrubFigures { return u.scrub.figures() }

// log is the log for one of the node's parts, by the names that Kafka's loggers have.
func (u *Upkeep) log(component string) *slog.Logger { return u.o.Logger.With("component", component) }

// in lists the partitions that live in a directory, by name.
func (u *Upkeep) in(v *storage.Volume) []*partition.Partition {
	return slices.DeleteFunc(u.o.Replicas.All(), func(p *partition.Partition) bool { return !v.Env.Holds(p) })
}

// retain rolls in a directory what is old enough, and removes what retention gives up.
func (u *Upkeep) retain(v *storage.Volume) error {
	for _, p := range u.in(v) {
		if err := u.tended(p, p.Tend()); err != nil {
			return err
		}
	}
	return nil
}

// tended takes what retention of one partition came to, and returns what ends the node. A full disk, a disk that fails, or damage
// keeps nobody else from it.
func (u *Upkeep) tended(p *partition.Partition, err error) error {
	switch {
	case err == nil || fault.IsKind(err, fault.Full):
	case fault.IsKind(err, fault.Disk):
		u.o.Storage.Lose(u.o.Storage.Of(p), err)
	case fault.IsKind(err, fault.Corrupt):
		u.log("kafka.log").Warn("Retention of "+p.Name().String()+" met damage; the next check tries again.", "error", err)
	default:
		return err
	}
	return nil
}
