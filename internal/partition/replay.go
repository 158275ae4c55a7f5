package partition

import (
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
)

// Bounds returns the log start and end, for a coordinator that replays the log at its election. Errors are those of the
// leader check.
func (p *Partition) Bounds(epoch kafka.LeaderEpoch) (start, end kafka.Offset, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.lead(epoch); err != nil {
		return 0, 0, err
	}
	o := p.log.Offsets()
	return o.LogStart, o.End, nil
}

// Replay returns whole batches up to the log end, committed or not, the first of which holds from; at least one unless
// from is the end. It may block on the disk.
func (p *Partition) Replay(from kafka.Offset, maxBytes int) ([]byte, error) {
	p.mu.Lock()
	if err := p.lead(kafka.NoLeaderEpoch); err != nil {
		p.mu.Unlock()
		return nil, err
	}
	l, end := p.log, p.log.Offsets().End
	p.mu.Unlock()
	s, err := l.Read(from, log.ReadOptions{MaxBytes: maxBytes, MinOne: true, Upper: end})
	if err != nil && p.replaced(l) {
		return p.Replay(from, maxBytes)
	}
	if err != nil {
		unreadable(p, err)
		return nil, err
	}
	defer s.Release()
	return s.AppendTo(nil)
}

// AwaitCommitted calls done once, when the high watermark has reached an offset, or with an error when this node does
// not lead the epoch, or no longer.
func (p *Partition) AwaitCommitted(epoch kafka.LeaderEpoch, upTo kafka.Offset, done func(error)) {
	p.mu.Lock()
	err := p.lead(epoch)
	if err == nil && p.rep.HighWatermark() < upTo {
		p.park(wait{need: upTo, committed: true, done: func(a Appended) { done(a.Err) }})
		p.mu.Unlock()
		return
	}
	p.mu.Unlock()
	done(err)
}
