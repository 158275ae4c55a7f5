package partition

import (
	"slices"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
)

// yielding is a leader that is about to give its leadership up by its own will: what it has taken is brought to the others first,
// and who writes meanwhile waits for whoever leads next. So a planned change of leaders takes back nothing, not even what was
// acknowledged with acks=1 (KAFKA-20554), and nobody writes a record twice because of it.
type yielding struct {
	parked  []func() // writers that wait; each is called with the mutex held and gives it back
	waiting int      // bytes of records that they hold
	drained func()   // nil once it was called
}

// yieldParkedMost is how many bytes of records may wait for a partition's next leader.
const yieldParkedMost = 16 << 20

// Yield has writers wait until the leadership has gone, or Resume. drained is called once: when everything that was written is
// committed, or can't be for lack of replicas in sync. Nobody waits at a replica that doesn't lead.
func (l Leading) Yield(drained func()) {
	p := l.p
	p.mu.Lock()
	if p.gone != nil || p.ending.yield != nil || p.reg.Leader != p.at().Self {
		p.mu.Unlock()
		drained()
		return
	}
	p.ending.yield = &yielding{drained: drained}
	calls := p.drained()
	p.mu.Unlock()
	run(calls)
}

// Resume lets writers go on: nobody else is to lead after all.
func (l Leading) Resume() { l.p.unpark() }

// drained returns the call that is due when nothing is left to be committed. Called with the mutex held.
func (p *Partition) drained() []func() {
	y := p.ending.yield
	if y == nil || y.drained == nil {
		return nil
	}
	if p.rep != nil && p.gone == nil && p.rep.Leads() && p.rep.EnoughInSync() && p.rep.HighWatermark() < p.log.Offsets().End {
		return nil
	}
	call := y.drained
	y.drained = nil
	return []func(){call}
}

// yielded lets writers hear who leads now, once this replica doesn't. Called with the mutex held.
func (p *Partition) yielded() []func() {
	y := p.ending.yield
	if y == nil || p.gone == nil && p.reg.Leader == p.at().Self {
		return nil
	}
	return append(p.drained(), p.unpark)
}

// behind has an append wait behind a leadership that is about to go. Its bytes are kept, which its caller gives up before it is
// answered if that takes too long. Called with the mutex held, which it gives back.
func (y *yielding) behind(p *Partition, a Append, done func(Appended)) {
	if y.waiting+len(a.Batch) > yieldParkedMost {
		p.mu.Unlock()
		done(Refused(fault.New("partition", kafka.ErrNotLeaderOrFollower, "%s is about to be led by another; try again", p.name)))
		return
	}
	y.waiting += len(a.Batch)
	a.Batch = record.Batch(slices.Clone(a.Batch))
	y.parked = append(y.parked, func() {
		if p.held() { // also by a move
			p.holdBack(a, done)
			return
		}
		p.append(a, done)
	})
	p.mu.Unlock()
}

// unpark lets those go on that wait, in the order in which they came, and whoever comes behind them.
func (p *Partition) unpark() {
	for {
		p.mu.Lock()
		y := p.ending.yield
		if y == nil {
			p.mu.Unlock()
			return
		}
		parked, call := y.parked, y.drained
		y.parked, y.waiting, y.drained = nil, 0, nil
		if len(parked) == 0 {
			p.ending.yield = nil
			p.mu.Unlock()
			if call != nil {
				call()
			}
			return
		}
		for i, f := range parked {
			if i > 0 {
				p.mu.Lock()
			}
			f()
		}
		if call != nil {
			call()
		}
	}
}
