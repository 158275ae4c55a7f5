package log

import (
	"errors"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/segment"
)

// A log that nobody has written has no files, and answers every question all the same: of 100,000 partitions that a node
// has, those in use cost a directory and no others. Its first record makes directory and first segment (materialise). One that
// lost its last segment to a truncation, and found no room for the next, is blank too.

// absent reports whether the partition has no directory, and whether none is missed: what was durable in it is gone.
func (l *Log) absent() (bool, error) {
	_, err := l.options.FS.Stat(l.options.Path)
	if err == nil {
		return false, nil
	}
	if !errors.Is(err, disk.ErrNotExist) {
		return false, fault.Storage("log.Open", err)
	}
	at := l.firstOffset()
	if l.options.RecoveryPoint > at && !l.options.AcceptLoss {
		return false, l.lost(at)
	}
	return true, nil
}

// firstOffset is where a log begins that has no segment.
func (l *Log) firstOffset() kafka.Offset { return max(l.options.LogStart, 0) }

// openBlank opens a log that has no directory.
func (l *Log) openBlank() error {
	l.unwritten(l.firstOffset())
	l.Recovered.CutAt = kafka.NoOffset
	return l.settleLoss()
}

// unwritten makes the log one without files.
func (l *Log) unwritten(at kafka.Offset) {
	l.segments = []*segment.Segment{segment.Unwritten(l.options.FS, l.options.Path, at, l.options.Now.WallMs)}
	l.start, l.end, l.blank = at, at, true
	l.begin(at)
}

// materialise gives a blank log its directory and its first segment. After an error the log is blank still.
func (l *Log) materialise() error {
	if !l.blank {
		return nil
	}
	if err := l.makeDir(); err != nil {
		return err
	}
	if err := l.bindTopicID(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.found(l.end); err != nil {
		return err
	}
	l.blank = false
	return nil
}

// Settle makes everything durable that was written to a log, and of one that nobody has written the directory: from then on
// its files say where it is. It belongs to the writer, and waits for the disk.
func Settle(l *Log) error {
	if l.closed {
		return fault.Shutdown("log.Settle")
	}
	if err := l.settleCut(); err != nil {
		return err
	}
	if err := l.materialise(); err != nil {
		return err
	}
	return l.settleAll()
}
