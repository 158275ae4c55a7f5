package partition

import (
	"slices"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/world"
)

// DeleteRecords moves the log start to an offset, or to the high watermark for -1. done is called once, without locks: with
// the new low watermark (KIP-107) when whoever may lead next begins there, too, durably, which may be before DeleteRecords returns.
// Records are taken and read meanwhile. Errors: OFFSET_OUT_OF_RANGE beyond the high watermark, POLICY_VIOLATION where
// cleanup.policy has no delete, REQUEST_TIMED_OUT when the other replicas are not that far within a time (the records are deleted
// all the same, sooner or later), and those of a leader check.
func (p *Partition) DeleteRecords(to kafka.Offset, within time.Duration, done func(low kafka.Offset, err error)) {
	p.mu.Lock()
	if p.held() {
		p.ending.move.parked = append(p.ending.move.parked, func() { p.deleteRecords(to, within, done) })
		p.mu.Unlock()
		return
	}
	p.deleteRecords(to, within, done)
}

// low is a request to delete records that is not answered yet.
type low struct {
	to    kafka.Offset
	done  func(low kafka.Offset, err error)
	timer world.Timer // nil until the leader's log begins there
}

// deleteRecords is DeleteRecords in its turn. Called with the mutex held, which it gives back.
func (p *Partition) deleteRecords(to kafka.Offset, within time.Duration, done func(low kafka.Offset, err error)) {
	s, to, err := p.newStart(to)
	w := &low{to: to, done: done}
	if s != nil {
		p.ending.starts++
	}
	var calls []func()
	if err == nil && s == nil {
		calls = p.lower(w, within)
	}
	p.mu.Unlock()
	switch {
	case err != nil:
		done(kafka.NoOffset, err)
	case s != nil:
		p.at().Flusher.Flush([]disk.Syncer{s}, func(err error) { p.startSaved(s, err, func(err error) []func() { return p.lowered(w, within, err) }) })
	}
	run(calls)
}

// lowered goes on with a request when the leader's log begins where it says, or cannot. Called with the mutex held.
func (p *Partition) lowered(w *low, within time.Duration, err error) []func() {
	if err == nil {
		err = p.lead(kafka.NoLeaderEpoch)
	}
	if err != nil {
		return []func(){func() { w.done(kafka.NoOffset, err) }}
	}
	return p.lower(w, within)
}

// lower has a request wait for the other replicas. Called with the mutex held.
func (p *Partition) lower(w *low, within time.Duration) []func() {
	p.rep.Leading().Begins(w.to)
	w.timer = p.at().World.After(within, func() {
		p.mu.Lock()
		i := slices.Index(p.waits.lows, w)
		if i >= 0 {
			p.waits.lows = slices.Delete(p.waits.lows, i, i+1)
		}
		p.mu.Unlock()
		if i >= 0 {
			w.done(kafka.NoOffset, fault.New("partition.DeleteRecords", kafka.ErrRequestTimedOut, "the replicas of %s don't all begin at %d within %v", p.name, w.to, within))
		}
	})
	p.waits.lows = append(p.waits.lows, w)
	return p.begun()
}

// begun takes out the requests that are done now: of nobody who may lead next the log begins earlier. Called with the mutex held.
func (p *Partition) begun() (calls []func()) {
	if len(p.waits.lows) == 0 {
		return nil
	}
	at := p.rep.Leading().Low(p.log.Offsets().LogStart)
	p.waits.lows = slices.DeleteFunc(p.waits.lows, func(w *low) bool {
		if at >= w.to {
			w.timer.Stop()
			calls = append(calls, func() { w.done(at, nil) })
		}
		return at >= w.to
	})
	return calls
}

// failLows takes out all of them. Called with the mutex held.
func (p *Partition) failLows(err error) (calls []func()) {
	for _, w := range p.waits.lows {
		w.timer.Stop()
		calls = append(calls, func() { w.done(kafka.NoOffset, err) })
	}
	p.waits.lows = nil
	return calls
}

// newStart checks where the log is to start, and says where that is. Called with the mutex held.
func (p *Partition) newStart(to kafka.Offset) (*log.Start, kafka.Offset, error) {
	if err := p.lead(kafka.NoLeaderEpoch); err != nil {
		return nil, to, err
	}
	if !p.cfg.Log.Keep.Delete {
		return nil, to, fault.New("partition.DeleteRecords", kafka.ErrPolicyViolation,
			"Records of partition %s can not be deleted due to the configured policy", p.name)
	}
	high := p.rep.HighWatermark()
	if to == -1 {
		to = high
	}
	if to < 0 || to > high {
		return nil, to, fault.New("partition.DeleteRecords", kafka.ErrOffsetOutOfRange,
			"cannot delete up to %d in %s: the high watermark is %d", to, p.name, high)
	}
	s, err := p.log.NewStart(to)
	return s, to, err
}

// startSaved makes a log start count that is durable now. then says what else is to be called; nil on a follower, which reports it.
func (p *Partition) startSaved(s *log.Start, err error, then func(error) []func()) {
	p.mu.Lock()
	var calls []func()
	p.ending.starts--
	switch {
	case err != nil:
		first := p.gone == nil
		err = fault.Storage("log start of "+p.name.String(), err)
		calls = p.fail(err)
		if first {
			calls = append(calls, func() { p.at().Failed(err) })
		}
	case p.log == nil:
		err = p.gone
	default:
		before := p.log.Offsets().LogStart
		if err = p.log.MoveStart(s); err == nil {
			p.rep.Leading().Begins(p.log.Offsets().LogStart)
			calls = p.wake()
			if at := p.log.Offsets().LogStart; at > before {
				calls = append(calls, p.started(at))
			}
		}
	}
	switch {
	case then != nil:
		calls = append(calls, then(err)...)
	case err == nil && p.at().Replication != nil:
		calls = append(calls, p.flush.tell)
	}
	calls = append(calls, p.ended()...)
	p.mu.Unlock()
	run(calls)
}
