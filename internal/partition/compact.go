package partition

import (
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/log/clean"
)

// Dirt tells what there is to compact in a partition; false where nothing is to be, for the topic is not compacted, the log is not open or
// the partition is being compacted.
func Dirt(p *Partition) (d clean.Dirt, due, ok bool, err error) {
	p.mu.Lock()
	l, c := p.log, p.cfg.Log
	if p.gone != nil || l == nil || !c.Accept.Compacted || p.ending.compacting || p.ending.move != nil {
		p.mu.Unlock()
		return d, false, false, nil
	}
	high := p.rep.HighWatermark()
	p.mu.Unlock()
	d, err = log.Dirt(l, p.at().World.Now(), high, c.Clean)
	return d, d.Due(c.Clean), err == nil, err
}

// Asleep reports whether nobody has opened the log of a partition that is compacted since the start, and how it is to be.
func Asleep(p *Partition) (clean.Policy, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cfg.Log.Clean, p.gone == nil && p.log == nil && p.cfg.Log.Accept.Compacted
}

// Pace says how a compaction goes on.
type Pace struct {
	Buffers clean.Buffers
	Step    int64                           // bytes to move at a time
	Wait    func(moved int64) time.Duration // before the next step
}

// Compacted is how a compaction ended.
type Compacted struct {
	Dirt     clean.Dirt
	UpTo     kafka.Offset // the log is clean below it now
	Stats    clean.Stats
	Mapping  time.Duration
	Took     time.Duration
	Began    bool // false: nothing was dirty
	GivenUp  bool // the log changed under it, or is closed, or there is no room: not a failure
	Err      error
	finished bool
}

// compaction is one under way: a step, a wait, a step.
type compaction struct {
	p     *Partition
	c     *log.Compaction
	pace  Pace
	began time.Duration
	out   Compacted
	done  func(Compacted)
}

// Compact compacts what is dirty, step by step on the World, beside everything else; done is called once. One at a time; a
// Stop waits for the step that is under way and ends it there.
func Compact(p *Partition, pace Pace, done func(Compacted)) {
	p.mu.Lock()
	if p.gone != nil || p.log == nil || p.ending.compacting || p.ending.move != nil {
		p.mu.Unlock()
		done(Compacted{})
		return
	}
	p.ending.compacting = true
	w := &compaction{p: p, pace: pace, began: p.at().World.Now().Mono, done: done}
	p.mu.Unlock()
	p.at().World.Go(w.begin)
}

func (w *compaction) begin() {
	p := w.p
	p.mu.Lock()
	l, c := p.log, p.cfg.Log
	if p.gone != nil || l == nil {
		p.mu.Unlock()
		w.end(nil)
		return
	}
	high := p.rep.HighWatermark()
	p.mu.Unlock()
	var err error
	w.c, err = log.Compact(l, p.at().World.Now(), log.CompactOptions{
		Policy: c.Clean, Buffers: w.pace.Buffers, IndexInterval: c.Roll.IndexIntervalBytes, HighWatermark: high, Writer: &p.mu,
	})
	if err != nil || w.c == nil {
		w.end(err)
		return
	}
	w.out.Began, w.out.Dirt = true, w.c.Dirt
	w.step()
}

// ends ends a compaction that is not to go on, and reports whether it did.
func (w *compaction) ends() bool {
	w.p.mu.Lock()
	over := w.p.gone != nil || w.p.log == nil || w.p.ending.move != nil
	w.p.mu.Unlock()
	if over {
		w.end(fault.Shutdown("partition.Compact"))
	}
	return over
}

func (w *compaction) step() {
	if w.ends() {
		return
	}
	mapping := w.c.Records.Mapping()
	done, moved, err := w.c.Step(w.pace.Step)
	if mapping {
		w.out.Mapping = w.p.at().World.Now().Mono - w.began
	}
	if done || err != nil {
		w.out.finished = err == nil
		w.end(err)
		return
	}
	wait := w.pace.Wait(moved)
	if wait <= 0 {
		w.p.at().World.Go(w.step)
		return
	}
	w.pause(wait)
}

// pausePoll is how often a compaction that the throttle keeps waiting looks whether it is to go on at all.
const pausePoll = 100 * time.Millisecond

// pause waits before the next step, and not on when the partition stops.
func (w *compaction) pause(d time.Duration) {
	if d <= pausePoll {
		w.p.at().World.After(d, w.step)
		return
	}
	w.p.at().World.After(pausePoll, func() {
		if !w.ends() {
			w.pause(d - pausePoll)
		}
	})
}

// end lets go of the log, and of a Stop that waits for this.
func (w *compaction) end(err error) {
	p, out := w.p, &w.out
	if w.c != nil {
		if e := w.c.End(out.finished); err == nil {
			err = e
		}
		out.Stats, out.UpTo = w.c.Records.Stats, w.c.Records.CleanedUpTo()
	}
	out.Took = p.at().World.Now().Mono - w.began
	if out.GivenUp = log.Abandoned(err); !out.GivenUp {
		out.Err = err
	}
	p.mu.Lock()
	p.ending.compacting = false
	if out.Err != nil && (p.gone != nil || p.log == nil) {
		out.GivenUp, out.Err = true, nil // it was deleted, and what failed were files that are gone
	}
	calls := p.ended()
	p.mu.Unlock()
	run(calls)
	w.done(*out)
}
