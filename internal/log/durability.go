package log

import (
	"sync"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/epoch"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/must"
)

// durability knows what must be synced before the log is durable up to an offset.
//
// Besides the active segment's bytes there are chores: files and names that were written once, at a roll or when the
// log was made. A chore must be done before anything past its offset counts as durable. The file of the epochs is none: nothing but
// a recovery point waits for it (ADR 0034).
type durability struct {
	guard   sync.Mutex // Offsets reads upTo beside the writer
	upTo    kafka.Offset
	lowered int // truncations so far
	issued  int // lowered, when Dirty was last called
	chores  []chore
	current []disk.Syncer // the active segment alone, made once
	epochs  *epoch.Cache
	home    disk.Syncer // the names in the log's directory
}

type chore struct {
	past    kafka.Offset
	sync    disk.Syncer
	release *segment.Handle // of a sealed segment that is kept open until synced; may be nil
}

func (d *durability) durable() kafka.Offset {
	d.guard.Lock()
	defer d.guard.Unlock()
	return d.upTo
}

// add notes a chore.
func (d *durability) add(past kafka.Offset, syncers ...disk.Syncer) {
	for _, s := range syncers {
		d.chores = append(d.chores, chore{past: past, sync: s})
	}
}

// activate names the segment whose bytes are synced from now on.
func (d *durability) activate(s *segment.Segment) { d.current = []disk.Syncer{s} }

// dirty returns what to sync so that everything below end is durable; nothing when it is.
func (d *durability) dirty(end kafka.Offset) []disk.Syncer {
	if d.durable() >= end {
		return nil
	}
	d.issued = d.lowered
	if len(d.chores) == 0 {
		return d.current
	}
	targets, names := d.files()
	if names {
		targets = append(targets, d.home)
	}
	return append(targets, d.current...)
}

// files lists what the chores sync, and whether the names in the log's directory are among it.
func (d *durability) files() (targets []disk.Syncer, names bool) {
	targets = make([]disk.Syncer, 0, len(d.chores)+2)
	for _, c := range d.chores {
		if c.sync == d.home {
			names = true
			continue
		}
		targets = append(targets, c.sync)
	}
	return targets, names
}

// Flushed tells that what the last Dirty returned together with upTo has been synced; flushes of one log don't overlap.
// When the log was truncated in between it says nothing, for other records may stand below upTo now.
func (d *durability) Flushed(upTo kafka.Offset) {
	if d.issued != d.lowered {
		return
	}
	d.guard.Lock()
	d.upTo = max(d.upTo, upTo)
	d.guard.Unlock()
	kept := d.chores[:0]
	for _, c := range d.chores {
		if c.past >= upTo {
			kept = append(kept, c)
		} else if c.release != nil {
			c.release.Release()
		}
	}
	clear(d.chores[len(kept):])
	d.chores = kept
}

// begin says from where on nothing is durable yet, in a log that was just opened or emptied.
func (d *durability) begin(at kafka.Offset) {
	d.guard.Lock()
	defer d.guard.Unlock()
	d.upTo = at
}

// settle does every chore and syncs the active segment, on the caller's time: before truncation and at close.
func (d *durability) settle(end kafka.Offset) error {
	targets, names := d.files()
	for _, t := range append(targets, d.current...) {
		if err := t.Sync(); err != nil {
			return err
		}
	}
	saved, err := d.epochs.Save()
	if err == nil && names && !saved {
		err = d.home.Sync()
	}
	if err != nil {
		return err
	}
	d.forgo() // done
	d.guard.Lock()
	defer d.guard.Unlock()
	d.upTo = end
	return nil
}

// finish syncs what is kept open for that, and returns the rest of the chores, with the epochs. The bytes of the active segment
// are durable already unless the log's end is not, or the file was cut just now.
func (d *durability) finish(end kafka.Offset, cut bool) (rest []disk.Syncer, err error) {
	names := false
	for _, c := range d.chores {
		switch {
		case c.release != nil:
			err = c.sync.Sync()
		case c.sync == d.home:
			names = true
		default:
			rest = append(rest, c.sync)
		}
		if err != nil {
			return nil, err
		}
	}
	if d.durable() < end || cut {
		for _, t := range d.current {
			if err := t.Sync(); err != nil {
				return nil, err
			}
		}
	}
	switch {
	case d.epochs.Unsaved():
		rest = append(rest, d.epochs) // whose file takes its place in the directory with a sync of the names
	case names:
		rest = append(rest, d.home)
	}
	return rest, nil
}

// lower takes durability back to a log's new, smaller end.
func (d *durability) lower(to kafka.Offset) {
	must.Hold(len(d.chores) == 0, "truncation with %d chores undone", len(d.chores))
	d.lowered++
	d.guard.Lock()
	defer d.guard.Unlock()
	d.upTo = min(d.upTo, to)
}

// back is lower for a log that lost whole segments from its end and may have chores: those of the segments are gone with them.
func (d *durability) back(to kafka.Offset) {
	kept := d.chores[:0]
	for _, c := range d.chores {
		if c.past <= to {
			kept = append(kept, c)
		} else if c.release != nil {
			c.release.Release()
		}
	}
	clear(d.chores[len(kept):])
	d.chores = kept
	d.lowered++
	d.guard.Lock()
	defer d.guard.Unlock()
	d.upTo = min(d.upTo, to)
}

// abandon gives the kept files up without syncing: the log is deleted, or its disk has failed.
func (d *durability) abandon() {
	d.forgo()
	d.current = nil
}

// forgo drops the chores: what they were for is gone.
func (d *durability) forgo() {
	for _, c := range d.chores {
		if c.release != nil {
			c.release.Release()
		}
	}
	d.chores = nil
}

// Flushed tells that what the last Dirty returned together with upTo has been synced (durability.Flushed). A log that is
// durable to its end lets the file of its active segment rest; one that is appended to all the time holds it.
func (l *Log) Flushed(upTo kafka.Offset) {
	l.durability.Flushed(upTo)
	if !l.closed && len(l.segments) > 0 && l.durable() >= l.end {
		l.active().Rest()
	}
}

// Recoverable is up to where a recovery point may stand: what is below it is durable, and the file of the epochs tells theirs. There is
// none for a log that is empty and whose files don't tell where it begins: the next start would miss what had been there.
func Recoverable(l *Log) kafka.Offset {
	l.mu.RLock()
	end := l.end
	if l.left.start || l.left.half && l.blank {
		end = 0
	}
	l.mu.RUnlock()
	return min(l.durable(), end, l.epochs.Shown())
}

// Dirty returns what must be synced so that everything below upTo is durable; no targets when it is.
func (l *Log) Dirty() (targets []disk.Syncer, upTo kafka.Offset) { return l.dirty(l.end), l.end }
