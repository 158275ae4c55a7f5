package partition

import (
	"slices"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// held reports whether writers have to wait. Called with the mutex held.
func (p *Partition) held() bool { return p.ending.move != nil && p.ending.move.still }

// holdBack has an append wait for its turn. Its bytes are kept, which its caller gives up before it is answered if that takes
// too long. Called with the mutex held, which it gives back.
func (p *Partition) holdBack(a Append, done func(Appended)) {
	m := p.ending.move
	if m.waiting+len(a.Batch) > moveParkedMost {
		p.mu.Unlock()
		done(Refused(fault.New("partition", kafka.ErrNotLeaderOrFollower, "%s is about to live in another log directory; try again", p.name)))
		return
	}
	m.waiting += len(a.Batch)
	a.Batch = record.Batch(slices.Clone(a.Batch))
	m.parked = append(m.parked, func() {
		if y := p.ending.yield; y != nil { // also for the next leader
			y.behind(p, a, done)
			return
		}
		p.append(a, done)
	})
	p.mu.Unlock()
}

// replaced reports whether a log that was read is not the partition's any more, because that lives elsewhere now.
func (p *Partition) replaced(l *log.Log) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log != nil && p.log != l
}

// freeze has writers wait, and goes on when nothing is being written.
func (m *Move) freeze() {
	p := m.p
	p.mu.Lock()
	m.still = true
	m.quiet = func() { p.at().World.Go(m.turn) }
	calls := p.ended()
	p.mu.Unlock()
	run(calls)
}

// thaw lets the writers go on, in the order in which they came.
func (m *Move) thaw() {
	p := m.p
	for {
		p.mu.Lock()
		parked := m.parked
		m.parked, m.waiting, m.quiet = nil, 0, nil
		if len(parked) == 0 {
			m.still = false
			if p.log != nil {
				p.flushNext()
			}
			p.mu.Unlock()
			return
		}
		for i, f := range parked {
			if i > 0 {
				p.mu.Lock()
			}
			f()
		}
	}
}

// turn makes the copy the log while nobody writes.
func (m *Move) turn() {
	p := m.p
	for caught := false; !caught; {
		if m.ends() {
			return
		}
		var err error
		if _, caught, err = m.copying.Step(p.at().World.Now(), moveFlushBytes); err != nil {
			m.back(err)
			return
		}
	}
	at, bytes, err := m.prepare()
	if err != nil {
		m.back(err)
		return
	}
	over := m.place.Over()
	p.mu.Lock()
	over = over || p.gone != nil || !m.turns()
	c := p.cfg.Log
	p.mu.Unlock()
	if over {
		m.leave(nil)
		return
	}
	begun, err := m.place.Promote()
	if err != nil && !begun {
		m.fate.And(^uint32(turned))
		m.back(err)
		return
	}
	var l *log.Log
	if err == nil {
		l, err = m.place.Promoted(c)
	}
	if err != nil {
		m.lost(err)
		return
	}
	must.Hold(l.Offsets().End == at.RecoveryPoint, "%s ends at %d after it was moved, and at %d before", p.name, l.Offsets().End, at.RecoveryPoint)
	m.settle(l, bytes)
}

// prepare closes the copy, and notes what its directory has to know of it.
func (m *Move) prepare() (at log.Checkpointed, bytes int64, err error) {
	p, l := m.p, m.copy.Load()
	if err := l.Close(p.at().World.Now()); err != nil {
		return at, 0, err
	}
	p.mu.Lock()
	high := p.high
	if p.log != nil {
		high = p.rep.HighWatermark()
	}
	p.mu.Unlock()
	at.RecoveryPoint, at.HighWatermark = l.Offsets().End, high
	return at, l.Size(), m.place.Prepare(at)
}

// back lets writers go on with the old log after an error before the copy was renamed.
func (m *Move) back(err error) {
	m.thaw()
	m.failed(err)
}

// lost gives the partition up: its log is in the new directory, or may be, and that has failed. With the old one nobody may go
// on, for the next start takes the new.
func (m *Move) lost(err error) {
	m.p.at().Lose(m.p, fault.Storage("move of "+m.p.name.String(), err))
	m.place.Env().Failed(err)
	m.end(Moved{Err: err})
}

// settle has the partition go on with the log in its new place.
func (m *Move) settle(l *log.Log, bytes int64) {
	p := m.p
	p.mu.Lock()
	if p.gone != nil && p.ending.done == nil { // it was deleted meanwhile, or the old directory failed
		gone := p.gone
		p.mu.Unlock()
		m.late(l, gone)
		return
	}
	old, from := p.log, p.at()
	p.log, p.open = l, m.place.Promoted
	p.env.Store(m.place.Env())
	l.SetConfig(p.cfg.Log)
	calls := p.settle(p.rep.Flushed(l.Offsets().Durable))
	calls = append(calls, p.wake()...)
	p.mu.Unlock()
	run(calls)
	m.thaw()
	err := old.Delete()
	if err == nil {
		err = m.place.Settle()
		from = m.place.Env()
	}
	if fault.IsKind(err, fault.Disk) {
		from.Failed(err)
	}
	m.end(Moved{Done: true, Err: err, Bytes: bytes})
}

// late does away with a log that was promoted for a partition that is no more. One that only lost its old directory serves
// from the new one after the next start.
func (m *Move) late(l *log.Log, gone error) {
	if fault.IsKind(gone, fault.Disk) {
		l.Abandon()
		m.end(Moved{Err: gone})
		return
	}
	if err := l.Delete(); fault.IsKind(err, fault.Disk) {
		m.place.Env().Failed(err)
	}
	m.end(Moved{})
}
