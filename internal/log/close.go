package log

import (
	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
)

// Close makes everything durable and complete: indexes, a producer snapshot at the end, epochs. When every log of a
// directory has been closed and Dir.Close was called, the next start is a clean one. After an error it is not.
func (l *Log) Close(kafka.Instant) error {
	if l.closed {
		return nil
	}
	targets, err := Finish(l)
	if err != nil {
		return err
	}
	for _, t := range targets {
		if err := t.Sync(); err != nil {
			return err
		}
	}
	l.begin(l.end)
	return nil
}

// Finish is Close but for the syncs that may be made together with those of other logs: the log is closed once its targets
// are synced, and no sooner. What has no file open is all that is left: a log that is durable to its end and whose files
// say so leaves nothing.
func Finish(l *Log) (targets []disk.Syncer, err error) {
	if l.closed {
		return nil, nil
	}
	unsettled := l.settleSwap()
	if unsettled == nil {
		unsettled = l.settleCut()
	}
	l.closed = true
	if l.blank {
		return nil, unsettled
	}
	s := l.active()
	defer l.closeActive()
	if unsettled != nil {
		return nil, unsettled
	}
	cut := l.left.torn || s.Allocated()
	if s.Active() {
		if err := l.mend(s); err != nil {
			return nil, err
		}
		if err := s.Finish(); err != nil {
			return nil, err
		}
		l.add(l.end, s.IndexSyncers()...)
	}
	if n := len(l.snapshots.list); n == 0 || l.snapshots.list[n-1] < l.end {
		syncers, err := l.snapshots.write(l.end, l.producers)
		if err != nil {
			return nil, err
		}
		l.add(l.end, syncers...)
	}
	if s.Active() || l.snapshots.changed || len(l.chores) > 0 {
		l.add(l.end, dirOf(l))
	}
	return l.durability.finish(l.end, cut)
}

// closeActive lets go of every file that is kept open; readers still hold theirs.
func (l *Log) closeActive() {
	l.abandon()
	if s := l.compacted.swap; s != nil {
		s.release()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.active().Close()
	for _, s := range l.segments {
		s.CloseIdle()
	}
}

// Abandon lets go of every file without another write: the log directory has failed, or the log is to be deleted. Nothing
// but Delete may be called after it; slices that were read stay valid until they are released.
func (l *Log) Abandon() {
	if l.closed {
		return
	}
	l.closed = true
	l.closeActive()
}

// Delete removes the log: its directory is renamed at once, to Kafka's name for a deletion in progress, and emptied
// later. Nothing else may be called after it, but a flush may still be under way; slices that were read stay valid until
// they are released.
func (l *Log) Delete() error {
	if !l.closed {
		l.closed = true
		l.closeActive()
	}
	l.epochs.Drop()
	l.mu.RLock()
	for _, s := range l.segments {
		s.Retire()
	}
	l.mu.RUnlock()
	return deleteDir(l.options.FS, l.options.Path, l.options.Partition, l.options.TopicID, l.options.Ledger, l.later)
}
