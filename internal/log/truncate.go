package log

import (
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/producer"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/mutant"
)

// TruncateTo removes the batch that holds an offset and everything after it, durably: a record that is appended at its
// place and not yet synced must not bring the old ones back after a crash. Truncating at or after the end does nothing,
// truncating below the log start takes that back, too, and below the first segment it begins the log anew there. Flushes
// that are under way say nothing afterwards; recovery points collected before are not to be saved after.
func (l *Log) TruncateTo(o kafka.Offset) error {
	if l.closed {
		return fault.Shutdown("log.TruncateTo")
	}
	if err := l.settleCut(); err != nil { // also where there is nothing to cut any more
		return err
	}
	if o >= l.end {
		return nil
	}
	if err := l.settleSwap(); err != nil {
		return err
	}
	if o < l.segments[0].Base() {
		return l.TruncateFullyAndStartAt(o)
	}
	keep := l.floor(o)
	at, err := l.place(keep, o)
	if err != nil {
		return err
	}
	end := at.End()
	if err := l.settleAll(); err != nil {
		return err
	}
	l.lower(end)
	if err := l.lowerRecoveryPoint(end); err != nil {
		return err
	}
	if err := l.lowerCleaned(end); err != nil {
		return err
	}
	l.leave(true, l.left.start)
	if err := l.dropFrom(keep + 1); err != nil {
		return err
	}
	s := l.segments[keep]
	if err := l.activateLast(); err != nil {
		return err
	}
	if err := s.Unseal(); err != nil {
		return err
	}
	l.mu.Lock()
	err = s.Cut(at, newWindow())
	l.ends(s.Next())
	l.mu.Unlock()
	l.shortened()
	if err != nil {
		return err
	}
	return l.afterCut()
}

// place finds where the log is to be cut at o, which lies in segment i.
func (l *Log) place(i int, o kafka.Offset) (segment.Place, error) {
	k, err := l.segments[i].Look(l.mu.RLocker(), newWindow())
	if err != nil {
		return segment.Place{}, err
	}
	defer k.Release()
	return k.Place(o)
}

// TruncateFullyAndStartAt empties the log; the next record has the given offset.
func (l *Log) TruncateFullyAndStartAt(o kafka.Offset) error {
	if l.closed {
		return fault.Shutdown("log.TruncateFullyAndStartAt")
	}
	if l.blank {
		if err := l.settleCut(); err != nil {
			return err
		}
	}
	if err := l.materialise(); err != nil {
		return err
	}
	if err := l.settleSwap(); err != nil {
		return err
	}
	if err := l.lowerRecoveryPoint(0); err != nil { // a crash may leave no segment at all
		return err
	}
	if err := l.lowerCleaned(0); err != nil {
		return err
	}
	if err := l.restartAt(o); err != nil {
		return err
	}
	return l.saveStart()
}

// restartAt removes every segment and begins with an empty one. Where a full disk has no room for that one the log is blank; where
// it keeps some segments from going the log ends with them. The caller makes the new log start durable, or knows that it is.
func (l *Log) restartAt(o kafka.Offset) error {
	l.leave(true, l.left.start)
	err := l.removeAll()
	if err != nil && len(l.segments) > 0 {
		return err
	}
	l.forgo() // nothing of it is promised any more
	l.lower(0)
	l.mu.Lock()
	l.cuts++
	full := error(nil)
	if err == nil {
		full = l.found(o)
	}
	l.blank = err != nil || full != nil
	if l.blank {
		l.unwritten(o)
	}
	l.producers = producer.New()
	l.passed.Store(0)
	l.left.half, l.left.start, l.left.torn = err != nil, true, false
	l.mu.Unlock()
	l.epochs.Clear()
	if fault.IsKind(full, fault.Disk) {
		return full
	}
	// Names, epochs, and whose the log is, are for the next flush: a log without records is empty with them and without.
	l.add(o, l.identity())
	return err
}

// removeAll removes every segment, the last one first, each name before the next one's, so that a crash leaves a prefix.
func (l *Log) removeAll() error {
	if err := l.dropNames(); err != nil {
		return err
	}
	for n := len(l.segments); n > 0; n-- {
		if err := l.dropFrom(n - 1); err != nil {
			return err
		}
		if n == 1 {
			if err := l.dropSnapshots(); err != nil {
				return err
			}
		}
		if err := dirOf(l).Sync(); err != nil {
			return err
		}
	}
	return nil
}

// dropSnapshots removes all of a log that loses its last segment, to be made durable before the next one is made: a snapshot
// that stood at its base would be believed.
func (l *Log) dropSnapshots() error { return l.snapshots.removeAbove(kafka.NoOffset) }

// saveNames makes the epochs durable, and with them the names in the log's directory.
func (l *Log) saveNames() error {
	saved, err := l.epochs.Save()
	if err != nil || saved {
		return err
	}
	return dirOf(l).Sync()
}

// dropFrom removes the segments from index i on, the last first. The caller makes that durable before anything stands in
// their place: until then recovery may find some of them, and cuts the log where they leave a hole.
func (l *Log) dropFrom(i int) error {
	for len(l.segments) > i {
		s, gone := l.active(), false
		l.mu.Lock()
		remove, err := s.Delete()
		if gone = err == nil || s.Deleted(); gone {
			l.segments = l.segments[:len(l.segments)-1]
			l.ends(s.Base())
			s.Close()
		}
		l.mu.Unlock()
		if gone {
			l.shortened()
		}
		if err != nil {
			if gone {
				l.left.names = append(l.left.names, s)
			}
			return err
		}
		l.later(remove)
	}
	return nil
}

// ends takes the end back, and a log start that lay behind it or was to (NewStart). The caller holds the lock.
func (l *Log) ends(at kafka.Offset) {
	l.end = min(l.end, at)
	l.left.start = l.left.start || max(l.start, l.savedStart()) > l.end
	l.start = min(l.start, l.end)
	l.cuts++
	l.passed.Store(min(l.passed.Load(), int64(l.end)))
}

// shortened brings what is known in memory of the log's end in line with it, at once: whatever else fails, a follower that asks on
// names the epoch of its last record, and a flush syncs the segment that is there.
func (l *Log) shortened() {
	l.back(l.end)
	if n := len(l.segments); n > 0 {
		l.activate(l.segments[n-1])
	}
	if !mutant.On(mutant.EpochsNotTruncated) {
		l.epochs.TruncateFromEnd(l.end)
	}
}

// afterCut brings log start, snapshots and producers to the new end, which the epochs are at.
func (l *Log) afterCut() error {
	if err := l.saveStart(); err != nil {
		return err
	}
	if err := l.snapshots.removeAbove(l.end); err != nil {
		return err
	}
	// Segments and snapshots of what was cut must not come back once other records stand there.
	if err := l.saveNames(); err != nil {
		return err
	}
	found := l.Recovered
	err := l.replay(l.end, false)
	l.Recovered = found
	l.leave(err != nil, false)
	return err
}

func (l *Log) lowerRecoveryPoint(o kafka.Offset) error {
	if l.options.Ledger == nil {
		return nil
	}
	return l.options.Ledger.LowerRecoveryPoint(l.options.Partition, o)
}

// later runs the removal of files after file.delete.delay.ms. It runs on whatever the owner's scheduler is, so a failure
// has nobody to go to: the files are removed at the next start.
func (l *Log) later(remove func() error) {
	f := func() { _ = remove() }
	l.snapshots.changed = true
	if l.options.Later == nil {
		f()
		return
	}
	l.options.Later(l.config.Keep.FileDeleteDelayMs, f)
}
