package coordinator

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group"
	"github.com/milena-io/milena/internal/machine/group/classic"
	"github.com/milena-io/milena/internal/mutant"
	"github.com/milena-io/milena/internal/world"
)

// shard runs the machine of one partition in one leader epoch.
type shard struct {
	env       Env
	partition int32
	epoch     kafka.LeaderEpoch
	log       Log

	mu       sync.Mutex
	phase    phase
	machine  *group.Machine
	tokens   classic.Token
	waiting  map[classic.Token]func(any, error) // every request not answered yet, parked ones included
	replies  held
	confirms confirms
	writes   writes
	alarm    alarm
	deleted  deletions
	failures int // loads in a row that failed
}

type phase uint8

const (
	loading phase = iota
	active
	resigned
)

// alarm is the timer for the machine's next deadline.
type alarm struct {
	timer     world.Timer
	set       uint64 // how often it was set: a timer stopped too late knows that it is not the one any more
	at        time.Duration
	notBefore time.Duration // after a failed append, so that what failed is not tried in a tight loop
}

// retryDelay is how long a shard waits before it tries again what failed; loads that fail again and again wait longer.
const (
	retryDelay    = time.Second
	maxRetryDelay = 30 * time.Second
)

func newShard(env Env, partition int32, epoch kafka.LeaderEpoch, log Log) *shard {
	return &shard{env: env, partition: partition, epoch: epoch, log: log,
		machine: group.New(env.Config), waiting: map[classic.Token]func(any, error){}}
}

// submit decides a command and remembers who asked.
func (s *shard) submit(cmd group.Command, done func(any, error)) {
	s.mu.Lock()
	if err := s.available(); err != nil {
		s.mu.Unlock()
		done(nil, err)
		return
	}
	switch cmd.(type) {
	case *group.FetchOffsets, *classic.Join, *classic.Sync:
		done = s.confirmed(done)
	}
	s.tokens++
	s.waiting[s.tokens] = done
	after := s.decide(s.tokens, cmd)
	s.unlock(after)
}

// available says why a shard cannot decide. Called with the mutex held.
func (s *shard) available() error {
	switch s.phase {
	case active:
		return nil
	case loading:
		if mutant.On(mutant.AnswersWhileLoading) {
			return nil
		}
		return fault.New("coordinator", kafka.ErrCoordinatorLoadInProgress, "%s-%d is being read", kafka.OffsetsTopic, s.partition)
	}
	return notCoordinator(s.partition)
}

// decide runs one command through the machine: decided, applied at the offsets its records will have, and routed.
// It returns what is to be called without the mutex. Called with it held.
func (s *shard) decide(t classic.Token, cmd group.Command) []func() {
	now := s.env.World.Now()
	r := s.machine.Decide(now, t, cmd)
	var fits []encoded
	limit := 0
	if len(r.Records) > 0 {
		var err error
		limit = s.env.MaxBatchBytes()
		if fits, err = encode(r.Records, limit); err != nil {
			return s.tooLarge(now, t, err)
		}
	}
	after := s.machine.Enact(s.writes.next, &r)
	s.writes.add(now.WallMs, fits, limit)
	var calls []func()
	for _, reply := range r.Replies {
		calls = append(calls, s.route(now, after, reply)...)
	}
	for _, e := range r.Events {
		calls = append(calls, func() { s.tell(e) })
	}
	return calls
}

// tooLarge answers a command whose records could never be written. It is not enacted, and nobody else notices: in the
// log it would take everybody down whose records share its batch.
func (s *shard) tooLarge(now kafka.Instant, t classic.Token, err error) []func() {
	if t == 0 {
		s.alarm.notBefore = now.Mono + retryDelay // it is due until it can be done
	}
	calls := []func(){func() { s.env.Logger.Warn("a group does not fit a record", "partition", s.partition, "err", err) }}
	return append(calls, s.answer(t, nil, err)...)
}

// route gives a reply, or holds it until what it rests on is committed.
func (s *shard) route(now kafka.Instant, after kafka.Offset, r classic.Reply) []func() {
	if s.waiting[r.Token] == nil {
		return nil // it was answered with an error before, or is nobody's
	}
	if after > s.writes.committed && !mutant.On(mutant.CommitBeforeReplicated) {
		if s.replies.add(heldReply{after: after, since: now.Mono, Reply: r}) {
			s.env.World.After(s.env.CommitTimeout, s.overdue)
		}
		return nil
	}
	return s.answer(r.Token, r.Body, nil)
}

// answer takes a request out and returns the call that answers it.
func (s *shard) answer(t classic.Token, body any, err error) []func() {
	done := s.waiting[t]
	if done == nil {
		return nil
	}
	delete(s.waiting, t)
	return []func(){func() { done(body, err) }}
}

// unlock ends a piece of work: what was written is sent on its way, the timer is set, and calls are made without the
// mutex.
func (s *shard) unlock(calls []func()) {
	if w := s.writes.start(); w != nil {
		calls = append(calls, func() {
			s.log.Append(s.epoch, w.batch(), func(base kafka.Offset, err error) { s.written(w, base, err) })
		})
	}
	if s.phase == active {
		s.arm()
	}
	s.mu.Unlock()
	for _, f := range calls {
		f()
	}
}

// written is called when a batch is committed, or failed.
func (s *shard) written(w *write, base kafka.Offset, err error) {
	s.mu.Lock()
	if !s.writes.finish(w) {
		s.mu.Unlock()
		return
	}
	if err == nil && base != w.base {
		err = fault.New("coordinator", kafka.ErrNotCoordinator, "%s-%d: a batch expected at %d was written at %d: somebody else writes here",
			kafka.OffsetsTopic, s.partition, w.base, base)
	}
	if err != nil {
		s.unlock(s.failed(w, err))
		return
	}
	s.writes.committed = w.end()
	s.deleted.committed(w.end())
	if s.phase == active {
		s.machine.Commit(w.end())
	}
	var calls []func()
	for _, h := range s.replies.take(w.end()) {
		calls = append(calls, s.answer(h.Token, h.Body, nil)...)
	}
	s.unlock(calls)
}

// failed takes back everything that was decided from a batch on. If the batch may be in the log after all, or
// somebody else's is, the shard reads the log again.
func (s *shard) failed(w *write, err error) []func() {
	calls := []func(){func() {
		s.env.Logger.Warn("a batch of group records could not be written", "partition", s.partition, "offset", int64(w.base), "err", err)
	}}
	told := appendError(err)
	s.deleted.failed()
	if s.phase == resigned {
		s.writes = writes{}
		return append(calls, s.dismiss(told)...)
	}
	lost := s.machine.Revert(w.base)
	for _, h := range s.replies.take(kafka.Offset(1<<63 - 1)) {
		lost = append(lost, h.Token)
	}
	s.writes.revert(w.base)
	for _, t := range lost {
		calls = append(calls, s.answer(t, nil, told)...)
	}
	if nothingWritten(err) {
		s.alarm.notBefore = s.env.World.Now().Mono + retryDelay
		return calls
	}
	return append(calls, s.reload(told)...)
}

// reload forgets the machine and reads the log anew, as after an election. Nobody stays parked.
func (s *shard) reload(told error) []func() {
	calls := s.dismiss(told)
	s.phase = loading
	s.machine = group.New(s.env.Config)
	s.writes = writes{}
	s.replies = held{}
	s.silence()
	s.alarm.notBefore = 0
	return append(calls, func() { s.env.World.After(retryDelay, s.load) })
}

// dismiss answers everybody with an error, in the order they came.
func (s *shard) dismiss(err error) []func() {
	var calls []func()
	for _, t := range sortedTokens(s.waiting) {
		calls = append(calls, s.answer(t, nil, err)...)
	}
	return calls
}

// resign ends the shard. Nothing is decided any more; what was decided goes on its way into the log, which refuses it if
// the epoch is over, and whoever waits for that is told what became of it. Everybody else goes to the next coordinator.
func (s *shard) resign(why string, level slog.Level) {
	s.mu.Lock()
	if s.phase == resigned {
		s.mu.Unlock()
		return
	}
	s.phase = resigned
	s.silence()
	var calls []func()
	for _, t := range sortedTokens(s.waiting) {
		if !s.replies.has(t) {
			calls = append(calls, s.answer(t, nil, notCoordinator(s.partition))...)
		}
	}
	for _, u := range s.confirms.take(len(s.confirms.waiting)) {
		calls = append(calls, func() { u.answer(notCoordinator(s.partition)) })
	}
	s.mu.Unlock()
	s.env.Logger.Log(context.Background(), level, "Resigned as the group coordinator of a partition", "partition", s.partition, "epoch", int32(s.epoch), "reason", why)
	for _, f := range calls {
		f()
	}
}

// overdue answers requests that waited for replication longer than offsets.commit.timeout.ms. What they wrote may
// still be committed; the state stays.
func (s *shard) overdue() {
	s.mu.Lock()
	now := s.env.World.Now().Mono
	late, next := s.replies.overdue(now - s.env.CommitTimeout)
	var calls []func()
	for _, h := range late {
		calls = append(calls, s.answer(h.Token, nil, fault.New("coordinator", kafka.ErrCoordinatorNotAvailable,
			"%s-%d was not replicated within offsets.commit.timeout.ms", kafka.OffsetsTopic, s.partition))...)
	}
	if next > 0 {
		s.env.World.After(next+s.env.CommitTimeout-now, s.overdue)
	}
	s.unlock(calls)
}

// arm sets the timer to the machine's next deadline.
func (s *shard) arm() {
	at := s.wake()
	if at == 0 {
		return
	}
	at = max(at, s.alarm.notBefore)
	if s.alarm.timer != nil {
		if s.alarm.at <= at {
			return
		}
		s.alarm.timer.Stop()
	}
	s.alarm.at = at
	s.alarm.set++
	set := s.alarm.set
	s.alarm.timer = s.env.World.After(at-s.env.World.Now().Mono, func() { s.ring(set) })
}

// silence takes the timer back.
func (s *shard) silence() {
	if s.alarm.timer != nil {
		s.alarm.timer.Stop()
	}
	s.alarm.timer = nil
	s.alarm.set++
}

// ring decides whatever is due.
func (s *shard) ring(set uint64) {
	s.mu.Lock()
	if s.phase != active || s.alarm.set != set {
		s.mu.Unlock()
		return
	}
	s.alarm.timer = nil
	now := s.env.World.Now()
	var calls []func()
	if now.Mono >= s.alarm.notBefore {
		calls = s.decideDeleted()
		for _, cmd := range s.machine.Due(now) {
			calls = append(calls, s.decide(0, cmd)...)
		}
	}
	s.unlock(calls)
}

// tell logs what an operator wants to read, in Kafka's words and under the name of the logger that writes them there.
func (s *shard) tell(e classic.Event) {
	level := slog.LevelInfo
	if e.Warn {
		level = slog.LevelWarn
	}
	s.env.Logger.Log(context.Background(), level, e.Text, "component", eventLogger, "partition", s.partition, "event", e.Name)
}

const eventLogger = "org.apache.kafka.coordinator.group.GroupMetadataManager"
