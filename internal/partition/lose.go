package partition

import (
	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
)

// Holds reports whether a partition lives in the log directory.
func (e *Env) Holds(p *Partition) bool { return p.at() == e }

// Lose gives a partition up because the log directory failed: whoever waits is told, every later call is refused, and
// nothing is written any more. A partition that stops or was deleted is left to that.
func (e *Env) Lose(p *Partition, err error) {
	p.mu.Lock()
	if p.gone != nil && !fault.IsKind(p.gone, fault.Disk) || p.at() != e { // or it has just moved to another
		p.mu.Unlock()
		return
	}
	calls := p.fail(err)
	l := p.log
	p.log = nil
	if l != nil {
		p.high = p.rep.HighWatermark()
		l.Abandon()
	}
	p.mu.Unlock()
	run(calls)
}

// unreadable gives the log directory up when a read says that its device fails, as Apache Kafka does.
func unreadable(p *Partition, err error) {
	if !disk.Broken(err) {
		return
	}
	p.mu.Lock()
	first := p.gone == nil
	var calls []func()
	if first {
		calls = p.fail(err)
	}
	p.mu.Unlock()
	run(calls)
	if first {
		p.at().Failed(err)
	}
}
