package coordinator

import (
	"context"
	"log/slog"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group"
	"github.com/milena-io/milena/internal/mutant"
	"github.com/milena-io/milena/internal/record"
	rec "github.com/milena-io/milena/internal/staterecord/group"
)

// loader reads a shard's log from its start to its end at the election, a slice at a time so that other work of a
// simulated world comes between.
type loader struct {
	s       *shard
	machine *group.Machine
	at, end kafka.Offset
	began   time.Duration
}

// load begins to read the log.
func (s *shard) load() {
	s.mu.Lock()
	if s.phase != loading {
		s.mu.Unlock()
		return
	}
	l := &loader{s: s, machine: s.machine, began: s.env.World.Now().Mono}
	s.mu.Unlock()
	start, end, err := s.log.Bounds(s.epoch)
	if err != nil {
		l.failed(err)
		return
	}
	l.at, l.end = start, end
	l.slice()
}

// slice applies one read of the log. The machine is the loader's alone until the shard is active.
func (l *loader) slice() {
	if l.over() {
		return
	}
	if l.at >= l.end {
		l.s.log.Committed(l.s.epoch, l.end, l.done)
		return
	}
	b, err := l.s.log.Read(l.at, l.s.env.LoadBytes)
	if err == nil {
		err = l.apply(b)
	}
	if err != nil {
		l.failed(err)
		return
	}
	// Nobody sees this machine before everything in it is committed, so nothing need be kept to go back.
	l.machine.Commit(l.at)
	l.s.env.World.Go(l.slice)
}

func (l *loader) apply(b []byte) error {
	from := l.at
	for len(b) > 0 {
		batch, rest, err := record.Next(b)
		if record.IsShort(err) && l.at > from {
			return nil // the read ended in the middle of a batch
		}
		if err == nil {
			err = batch.CheckCRC()
		}
		if err != nil {
			return err
		}
		if batch.LastOffset() >= l.at {
			if err := l.batch(batch); err != nil {
				return err
			}
			l.at = batch.NextOffset()
		}
		b = rest
	}
	if l.at == from {
		return fault.Corruption("coordinator.load", "%s-%d: nothing to read at offset %d of %d", kafka.OffsetsTopic, l.s.partition, l.at, l.end)
	}
	return nil
}

func (l *loader) batch(b record.Batch) error {
	producer := kafka.NoProducerID
	if b.IsTransactional() {
		producer = b.ProducerID()
	}
	if b.IsControl() {
		t, _, err := b.Control()
		if err == nil && (t == record.ControlCommit || t == record.ControlAbort) {
			l.machine.EndTransaction(b.LastOffset(), b.ProducerID(), t == record.ControlCommit)
		}
		return err
	}
	return b.Each(record.Limits{}, func(r *record.Record) error {
		if r.Offset < l.at {
			return nil
		}
		decoded, err := rec.Decode(r.Key, r.Value)
		if err != nil || mutant.On(mutant.LoadSkipsLast) && r.Offset == l.end-1 {
			l.machine.Skip(r.Offset) // one unreadable record must not keep every group of the partition away
			return nil
		}
		l.machine.Apply(r.Offset, producer, decoded)
		return nil
	})
}

// over reports whether the shard has resigned: nobody else ends a load.
func (l *loader) over() bool {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	return l.s.phase != loading
}

// failed tries again later, and later each time: until the log can be read nobody may decide anything here.
func (l *loader) failed(err error) {
	if l.over() {
		return
	}
	s := l.s
	s.mu.Lock()
	s.machine = group.New(s.env.Config)
	wait := min(retryDelay<<min(s.failures, 16), maxRetryDelay)
	s.failures++
	s.mu.Unlock()
	level := slog.LevelError
	switch fault.CodeOf(err) {
	case kafka.ErrNotLeaderOrFollower, kafka.ErrFencedLeaderEpoch, kafka.ErrUnknownLeaderEpoch:
		level = slog.LevelInfo // the partition has not heard of the election yet, or we not of the next one
	}
	s.env.Logger.Log(context.Background(), level, "Failed to load the groups of a partition", "partition", s.partition,
		"offset", int64(l.at), "retry_ms", wait.Milliseconds(), "err", err)
	s.env.World.After(wait, s.load)
}

// done opens the shard once everything that was read is committed.
func (l *loader) done(err error) {
	s := l.s
	if err != nil {
		l.failed(err)
		return
	}
	s.mu.Lock()
	if s.phase != loading {
		s.mu.Unlock()
		return
	}
	s.phase, s.failures = active, 0
	s.machine.Commit(l.end)
	s.writes = writes{next: l.end, committed: l.end}
	calls := []func(){func() {
		level := slog.LevelInfo
		if l.end == 0 {
			level = slog.LevelDebug // of a new topic nothing is read, fifty times
		}
		s.env.Logger.Log(context.Background(), level, "Finished loading of metadata", "partition", s.partition, "epoch", int32(s.epoch), "end", int64(l.end),
			"skipped", l.machine.Skipped(), "ms", (s.env.World.Now().Mono - l.began).Milliseconds())
	}}
	calls = append(calls, s.decide(0, &group.Loaded{})...)
	s.unlock(append(calls, s.decideDeleted()...))
}
