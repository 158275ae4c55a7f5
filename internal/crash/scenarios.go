package crash

import (
	"strings"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
)

// Scenarios lists them all. To add one, add a line and a function that tells it.
func Scenarios() []Scenario {
	return []Scenario{
		{Name: "format", Golden: true, Tell: tellFormat},
		{Name: "append", Golden: true, Tell: tellAppend},
		{Name: "roll", Golden: true, Tell: tellRoll},
		{Name: "checkpoint", Golden: true, Tell: tellCheckpoint},
		{Name: "truncate", Golden: true, Tell: tellTruncate},
		{Name: "truncate-fully", Golden: true, Tell: tellRestart},
		{Name: "truncate-to-snapshot", Golden: true, Tell: tellRestartAtSnapshot},
		{Name: "truncate-unflushed", Golden: true, Tell: tellRestartUnflushed},
		{Name: "delete-records", Golden: true, Tell: tellDeleteRecords},
		{Name: "retention", Golden: true, Tell: tellRetention},
		{Name: "delete-topic", Golden: true, Tell: tellDeleteTopic},
		{Name: "close", Golden: true, Tell: tellClose},
		{Name: "recover", Golden: true, Tell: tellRecover},
		{Name: "recover-unflushed", Golden: true, Tell: tellRecoverUnflushed},
		{Name: "close-together", Golden: true, Tell: together(tellClose)},
		{Name: "recover-settled", Golden: true, Tell: together(tellRecover)},
		{Name: "recover-unflushed-settled", Golden: true, Tell: together(tellRecoverUnflushed)},
		{Name: "recover-failed", Golden: true, Tell: tellRecoverFailed},
		{Name: "recover-failed-settled", Golden: true, Tell: together(tellRecoverFailed)},
		{Name: "compaction", Golden: true, Tell: tellCompaction},
		{Name: "compaction-swap", Golden: true, Tell: tellCompactionSwap},
		{Name: "preallocate", Golden: true, Tell: tellPreallocate},
		{Name: "quorum", Golden: true, Tell: tellQuorum},
		{Name: "quorum-start", Golden: true, Tell: tellQuorumStart},
		{Name: "quorum-votes", Golden: true, Tell: tellQuorumVotes},
		{Name: "quorum-diverges", Golden: true, Tell: tellQuorumDiverges},
		{Name: "quorum-install", Golden: true, Tell: tellQuorumInstall},
		{Name: "groups", Golden: true, Tell: tellGroups},
		{Name: "groups-start", Golden: true, Tell: tellGroupsStart},
		{Name: "walk", Tell: tellWalk},
		{Name: "walk-compacted", Tell: tellCompactedWalk},
	}
}

// together tells a story of a process that syncs the volume as a whole.
func together(tell func(*Story) error) func(*Story) error {
	return func(s *Story) error {
		s.Together = true
		return tell(s)
	}
}

var noSender = Sender{ID: kafka.NoProducerID, Epoch: -1}

func partitionOf(topic string) kafka.TopicPartition { return kafka.TopicPartition{Topic: topic} }

// small is a configuration whose segments hold two or three batches.
func small() log.Config {
	c := log.DefaultConfig()
	c.Roll.SegmentBytes, c.Roll.IndexIntervalBytes = 320, 60
	c.Accept.TimestampBeforeMaxMs, c.Accept.TimestampAfterMaxMs = 1<<62, 1<<62
	c.ProducerExpirationMs = 1 << 50
	c.Keep.RetentionMs = -1
	return c
}

// large is one whose segment never rolls.
func large() log.Config {
	c := small()
	c.Roll.SegmentBytes = 1 << 20
	return c
}

// begin starts a host with a log that holds some durable batches.
func begin(s *Story, c log.Config, batches int) (*Host, *Log, error) {
	h, err := s.Host()
	if err != nil {
		return nil, nil, err
	}
	l, err := h.Open(partitionOf("t"), kafka.TopicID{1}, c)
	if err != nil {
		return nil, nil, err
	}
	return h, l, fill(l, batches)
}

// fill appends and flushes.
func fill(l *Log, batches int) error {
	for range batches {
		l.host.story.Now.WallMs += 7
		if err := l.Append(noSender, "value"); err != nil {
			return err
		}
	}
	if batches == 0 {
		return nil
	}
	return l.Flush()
}

func steps(list ...func() error) error {
	for _, step := range list {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func tellFormat(s *Story) error {
	_, err := s.Host()
	return err
}

func tellAppend(s *Story) error {
	_, l, err := begin(s, large(), 0)
	if err != nil {
		return err
	}
	idempotent, txn := Sender{ID: 7}, Sender{ID: 8, Txn: true}
	return steps(
		func() error { return l.Append(noSender, "first") },
		func() error { return l.Append(idempotent, "a", "b") },
		l.Flush,
		func() error { return l.Append(txn, "in a transaction") },
		func() error { l.epoch++; return l.Append(idempotent, "c") },
		l.Flush,
		func() error { return l.End(txn, false) },
		func() error { return l.Append(noSender, strings.Repeat("over a sector ", 60)) },
		l.Flush,
	)
}

func tellRoll(s *Story) error {
	_, l, err := begin(s, small(), 2)
	if err != nil {
		return err
	}
	txn := Sender{ID: 8, Txn: true}
	return steps(
		func() error { return l.Append(txn, "one", "two") },
		func() error { return l.End(txn, false) },
		func() error { return l.Append(Sender{ID: 7}, "rolls") },
		l.Flush,
		func() error { l.epoch++; return l.Append(Sender{ID: 7}, "rolls", "again") },
		func() error { return fill(l, 3) },
	)
}

func tellCheckpoint(s *Story) error {
	h, l, err := begin(s, large(), 2)
	if err != nil {
		return err
	}
	return steps(h.Checkpoint, func() error { return fill(l, 1) }, h.Checkpoint)
}

func tellTruncate(s *Story) error {
	h, l, err := begin(s, small(), 7)
	if err != nil {
		return err
	}
	return steps(
		h.Checkpoint,
		func() error { l.epoch++; return l.Append(Sender{ID: 7}, "to be cut") },
		func() error { return l.Truncate(5) },
		func() error { return l.Append(Sender{ID: 9}, "in its place") },
		func() error { return l.Truncate(2) },
		h.later0,
		func() error { return fill(l, 2) },
		h.Checkpoint,
	)
}

// later0 is RemoveDeleted as a step.
func (h *Host) later0() error { h.RemoveDeleted(); return nil }

func tellRestart(s *Story) error {
	h, l, err := begin(s, small(), 5)
	if err != nil {
		return err
	}
	return steps(h.Checkpoint, func() error { return l.Restart(100) }, func() error { return fill(l, 2) }, h.later0, h.Checkpoint)
}

// tellRestartAtSnapshot empties a log and begins it where a segment and a snapshot of its producers were.
func tellRestartAtSnapshot(s *Story) error {
	h, l, err := begin(s, small(), 0)
	if err != nil {
		return err
	}
	for range 5 {
		if err := l.Append(Sender{ID: 7}, "of a producer"); err != nil {
			return err
		}
	}
	return steps(
		l.Flush,
		h.Checkpoint,
		func() error { return l.Restart(3) },
		func() error { return fill(l, 1) },
	)
}

// tellRestartUnflushed empties a log whose very name was never synced.
func tellRestartUnflushed(s *Story) error {
	_, l, err := begin(s, small(), 0)
	if err != nil {
		return err
	}
	return steps(
		func() error { return l.Append(noSender, "never flushed") },
		func() error { return l.Restart(50) },
		func() error { return fill(l, 2) },
	)
}

func tellDeleteRecords(s *Story) error {
	h, l, err := begin(s, small(), 7)
	if err != nil {
		return err
	}
	return steps(
		func() error { return l.DeleteRecords(3) },
		l.Retain,
		h.later0,
		func() error { return l.DeleteRecords(6) },
		func() error { return fill(l, 2) },
		l.Retain,
	)
}

func tellRetention(s *Story) error {
	c := small()
	c.Keep.RetentionBytes = 300
	h, l, err := begin(s, c, 3)
	if err != nil {
		return err
	}
	return steps(
		func() error { return l.Append(Sender{ID: 7}, "the last of this producer") },
		func() error { return fill(l, 6) },
		l.Retain,
		h.later0,
		func() error { return fill(l, 4) },
		l.Retain,
	)
}

func tellDeleteTopic(s *Story) error {
	h, l, err := begin(s, small(), 4)
	if err != nil {
		return err
	}
	var next *Log
	return steps(
		h.Checkpoint,
		l.Delete,
		func() (err error) { next, err = h.Open(partitionOf("t"), kafka.TopicID{2}, small()); return err },
		func() error { return fill(next, 2) },
		h.later0,
		func() error { return fill(next, 1) },
		h.Checkpoint,
	)
}

func tellClose(s *Story) error {
	h, l, err := begin(s, small(), 4)
	if err != nil {
		return err
	}
	return steps(
		func() error { return l.Append(Sender{ID: 7}, "not flushed") },
		h.CloseClean,
		h.Start,
		func() error { return fill(l, 1) },
		h.CloseClean,
		h.Start,
		h.CloseClean,
	)
}

// tellPreallocate is a log whose active file is longer than its records: rolled, killed, and closed.
func tellPreallocate(s *Story) error {
	c := small()
	c.Roll.SegmentBytes, c.Roll.Preallocate = 700, true
	h, l, err := begin(s, c, 3)
	if err != nil {
		return err
	}
	return steps(
		func() error { return l.Append(Sender{ID: 7}, "one", "two") },
		func() error { return fill(l, 6) },
		h.Checkpoint,
		func() error { return l.Append(noSender, "not flushed") },
		h.CloseClean,
		h.Start,
		func() error { return fill(l, 5) },
	)
}

// tellRecover is what recovery itself writes and syncs, over a disk that lost some of what was unsynced.
func tellRecover(s *Story) error {
	h, l, err := begin(s, small(), 4)
	if err != nil {
		return err
	}
	if err := l.Append(Sender{ID: 7}, "lost"); err != nil {
		return err
	}
	return steps(
		func() error { return l.Append(Sender{ID: 8, Txn: true}, "lost", "too") },
		h.kill,
		func() error { return fill(l, 1) },
	)
}

// tellRecoverUnflushed is a log that was killed before its first flush: what recovery finds counts as durable from then on,
// and nothing of it is, not even its name.
func tellRecoverUnflushed(s *Story) error {
	h, l, err := begin(s, small(), 0)
	if err != nil {
		return err
	}
	return steps(
		func() error { return l.Append(Sender{ID: 7}, "found in the page cache") },
		h.kill,
		func() error { return fill(l, 1) },
	)
}

// tellRecoverFailed is a log whose sync failed: the next process finds all of it in memory, and some on no disk.
func tellRecoverFailed(s *Story) error {
	h, l, err := begin(s, small(), 4)
	if err != nil {
		return err
	}
	return steps(
		h.Checkpoint,
		func() error { return fill(l, 2) },
		func() error { return l.Append(Sender{ID: 7}, "rolls", "and is not written") },
		func() error { return l.Append(Sender{ID: 7}, "nor is this") },
		func() error { s.Mem.FailSync(); return nil },
		h.kill,
		func() error { return fill(l, 1) },
	)
}
