package log

import (
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/segment"
)

// left is what failed calls have left to be done. A full disk is a state: the log lives on, and does it before the next record.
type left struct {
	torn  bool               // a failed write left bytes after the end
	half  bool               // a truncation has begun, and files, snapshots and producers may be those of before
	names []*segment.Segment // gone, but for names that some of their files have
	start bool               // the checkpoint has another log start than the log, and nothing is to be appended before it has this one
}

// leave notes how far a truncation is; a recovery point is asked for beside the writer.
func (l *Log) leave(half, start bool) {
	l.mu.Lock()
	l.left.half, l.left.start = half, start
	l.mu.Unlock()
}

// settleCut does what is left of a truncation. What that took is not there any more for those who read and fetch, and nobody orders
// it again: so whoever is about to write, to look for duplicates, or to close does it first.
func (l *Log) settleCut() error {
	if !l.left.half {
		return l.saveStart()
	}
	if err := l.dropNames(); err != nil {
		return err
	}
	if l.blank { // everything went
		if err := l.dropSnapshots(); err != nil {
			return err
		}
		if err := dirOf(l).Sync(); err != nil {
			return err
		}
		l.leave(false, l.left.start)
		return l.saveStart()
	}
	s := l.active()
	if err := l.activateLast(); err != nil {
		return err
	}
	if err := s.Unseal(); err != nil {
		return err
	}
	if err := s.CutTail(); err != nil {
		return err
	}
	l.left.torn = false
	return l.afterCut()
}

// dropNames takes the names that files of removed segments have kept: other segments may soon have them.
func (l *Log) dropNames() error {
	for len(l.left.names) > 0 {
		remove, err := l.left.names[0].Delete()
		if err != nil {
			return err
		}
		l.later(remove)
		l.left.names = l.left.names[1:]
	}
	return nil
}

// savedStart is the log start that the checkpoint has, which may not count yet; NoOffset without one.
func (l *Log) savedStart() kafka.Offset {
	if l.options.Ledger == nil {
		return kafka.NoOffset
	}
	return l.options.Ledger.Checkpointed(l.options.Partition).LogStart
}

// saveStart makes the log start durable where the checkpoint has another.
func (l *Log) saveStart() error {
	if !l.left.start {
		return nil
	}
	if l.options.Ledger != nil {
		if err := l.options.Ledger.SaveLogStart(l.options.Partition, l.start); err != nil {
			return err
		}
	}
	l.leave(l.left.half, false)
	return nil
}
