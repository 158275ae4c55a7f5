package log

import (
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/producer"
)

// TruncateTo removes the batch that holds an offset and everything after it, durably: a record that is appended at its
// place and not yet synced must not bring the old ones back after a crash. Truncating at or after the end does nothing,
// truncating below the log start begins the log anew there.
func (l *Log) TruncateTo(o kafka.Offset) error {
	if l.closed {
		return fault.Shutdown("log.TruncateTo")
	}
	if o >= l.end {
		return nil
	}
	if o < l.segments[0].Base() {
		return l.TruncateFullyAndStartAt(o)
	}
	if err := l.lowerRecoveryPoint(o); err != nil {
		return err
	}
	if err := l.settleAll(); err != nil {
		return err
	}
	keep := l.floor(o)
	if err := l.dropFrom(keep + 1); err != nil {
		return err
	}
	s := l.segments[keep]
	l.mu.Lock()
	err := s.Activate(l.window)
	if err == nil {
		err = s.Cut(o, l.window)
	}
	l.end = min(l.end, s.Next())
	l.start = min(l.start, l.end)
	l.cuts++
	l.mu.Unlock()
	if err != nil {
		return err
	}
	l.lower(l.end)
	l.activate(s)
	return l.afterCut()
}

// TruncateFullyAndStartAt empties the log; the next record has the given offset.
func (l *Log) TruncateFullyAndStartAt(o kafka.Offset) error {
	if l.closed {
		return fault.Shutdown("log.TruncateFullyAndStartAt")
	}
	if err := l.lowerRecoveryPoint(min(o, l.start)); err != nil {
		return err
	}
	if err := l.settleAll(); err != nil {
		return err
	}
	if err := l.restartAt(o); err != nil {
		return err
	}
	if l.options.Ledger != nil {
		return l.options.Ledger.SaveLogStart(l.options.Partition, o)
	}
	return nil
}

// restartAt removes every segment and begins with an empty one.
func (l *Log) restartAt(o kafka.Offset) error {
	if err := l.dropFrom(0); err != nil {
		return err
	}
	l.lower(0)
	l.mu.Lock()
	l.cuts++
	err := l.found(o)
	l.producers = producer.New()
	l.mu.Unlock()
	if err != nil {
		return err
	}
	l.epochs.Clear()
	for len(l.snapshots.list) > 0 {
		if err := l.snapshots.remove(l.snapshots.list[0]); err != nil {
			return err
		}
	}
	return l.settleAll()
}

// dropFrom removes the segments from index i on, the last first, so that a crash leaves a prefix.
func (l *Log) dropFrom(i int) error {
	for len(l.segments) > i {
		s := l.active()
		remove, err := s.Delete()
		if err != nil {
			return err
		}
		l.mu.Lock()
		l.segments = l.segments[:len(l.segments)-1]
		l.end = min(l.end, s.Base())
		l.cuts++
		s.Close()
		l.mu.Unlock()
		if err := l.options.FS.SyncDir(l.options.Path); err != nil {
			return fault.Storage("log.Truncate", err)
		}
		l.later(remove)
	}
	return nil
}

// afterCut brings epochs, snapshots and producers to the new end.
func (l *Log) afterCut() error {
	l.epochs.TruncateFromEnd(l.end)
	if err := l.epochs.Sync(); err != nil {
		return err
	}
	if err := l.snapshots.removeAbove(l.end); err != nil {
		return err
	}
	found := l.Recovered
	err := l.replay(l.end, false)
	l.Recovered = found
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
	if l.options.Later == nil {
		f()
		return
	}
	l.options.Later(l.config.Keep.FileDeleteDelayMs, f)
}
