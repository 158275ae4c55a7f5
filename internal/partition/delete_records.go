package partition

import (
	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
)

// DeleteRecords moves the log start to an offset, or to the high watermark for -1. done is called once, without locks: with
// the new low watermark when that is durable, perhaps before DeleteRecords returns. Records are taken and read meanwhile.
// Errors: OFFSET_OUT_OF_RANGE beyond the high watermark, POLICY_VIOLATION where cleanup.policy has no delete, and those of a
// leader check.
func (p *Partition) DeleteRecords(to kafka.Offset, done func(low kafka.Offset, err error)) {
	p.mu.Lock()
	if p.held() {
		p.ending.move.parked = append(p.ending.move.parked, func() { p.deleteRecords(to, done) })
		p.mu.Unlock()
		return
	}
	p.deleteRecords(to, done)
}

// deleteRecords is DeleteRecords in its turn. Called with the mutex held, which it gives back.
func (p *Partition) deleteRecords(to kafka.Offset, done func(low kafka.Offset, err error)) {
	s, err := p.newStart(to)
	low := kafka.NoOffset
	if err == nil {
		low = p.log.Offsets().LogStart
	}
	if s != nil {
		p.ending.starts++
	}
	p.mu.Unlock()
	if err != nil || s == nil {
		done(low, err)
		return
	}
	p.at().Flusher.Flush([]disk.Syncer{s}, func(err error) { p.startSaved(s, err, done) })
}

// newStart checks where the log is to start. Called with the mutex held.
func (p *Partition) newStart(to kafka.Offset) (*log.Start, error) {
	if err := p.lead(kafka.NoLeaderEpoch); err != nil {
		return nil, err
	}
	if !p.cfg.Log.Keep.Delete {
		return nil, fault.New("partition.DeleteRecords", kafka.ErrPolicyViolation,
			"Records of partition %s can not be deleted due to the configured policy", p.name)
	}
	high := p.rep.HighWatermark()
	if to == -1 {
		to = high
	}
	if to < 0 || to > high {
		return nil, fault.New("partition.DeleteRecords", kafka.ErrOffsetOutOfRange,
			"cannot delete up to %d in %s: the high watermark is %d", to, p.name, high)
	}
	return p.log.NewStart(to)
}

// startSaved makes a log start count that is durable now.
func (p *Partition) startSaved(s *log.Start, err error, done func(kafka.Offset, error)) {
	p.mu.Lock()
	low := kafka.NoOffset
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
			low = p.log.Offsets().LogStart
			calls = p.wake()
			if low > before {
				calls = append(calls, p.started(low))
			}
		}
	}
	calls = append(calls, p.ended()...)
	p.mu.Unlock()
	run(calls)
	done(low, err)
}
