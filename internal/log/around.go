package log

import (
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// AppendAround is AppendAsFollower for a batch within which the log is to begin, as the leader's may (DeleteRecords): a log
// without records, that ends after the batch's first offset and before its last, begins on disk where the batch does, takes it, and
// begins for everybody where it ended. It is emptied at its end before, so that the start is durable: a crash leaves the log that began
// there, and so does an error that leaves the disk usable.
func AppendAround(l *Log, now kafka.Instant, b record.Batch) (Appended, error) {
	if l.closed {
		return Appended{}, fault.Shutdown("log.AppendAround")
	}
	if err := l.settleCut(); err != nil {
		return Appended{}, err
	}
	start := l.end
	must.Hold(l.start == start && b.BaseOffset() < start && start < b.NextOffset(), "offsets %d to %d around a log from %d to %d",
		b.BaseOffset(), b.LastOffset(), l.start, start)
	out, err := l.beginAround(now, b)
	switch {
	case err == nil:
		l.advanceStart(start)
		out.LogStart = start
	case !fault.IsKind(err, fault.Disk) && l.end != start:
		if back := l.restartAt(start); back != nil {
			l.leave(l.left.half, true) // the one that is durable is where it was to begin
			return out, back
		}
		l.leave(false, false)
	}
	return out, err
}

func (l *Log) beginAround(now kafka.Instant, b record.Batch) (Appended, error) {
	if err := b.CheckCRC(); err != nil {
		return Appended{}, err
	}
	if err := l.restartAt(b.BaseOffset()); err != nil {
		return Appended{}, err
	}
	l.leave(false, false) // where it is to begin is durable
	return l.AppendAsFollower(now, b)
}
