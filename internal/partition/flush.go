package partition

import (
	"math"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/machine/replica"
	"github.com/milena-io/milena/internal/mutant"
)

// FlushConfig says when a log is flushed although nobody's acknowledgement asks for it: what counts under page-cache
// durability. Zero values never do.
type FlushConfig struct {
	Messages int64 // flush.messages
	Ms       int64 // flush.ms; looked at every log.flush.scheduler.interval.ms, as in Kafka
}

// flushing is the flush of one partition.
type flushing struct {
	under bool         // one is under way
	upTo  kafka.Offset // what it will make durable
	want  kafka.Offset // what has to become durable
	last  time.Duration
	early int64       // bytes since writing was begun that nobody waits for
	done  func(error) // Partition.flushed, made a func once
	tell  func()      // Replication.Durable, likewise
}

// flushAll asks for everything that was appended to become durable. Called with the mutex held.
func (p *Partition) flushAll() {
	p.flush.want = p.log.Offsets().End
	p.flushNext()
}

// flushNext asks for a flush unless one is under way or what is wanted is durable. Called with the mutex held.
func (p *Partition) flushNext() {
	if p.flush.under || p.held() || p.log == nil || p.gone != nil && p.ending.done == nil || p.log.Offsets().Durable >= p.flush.want {
		return
	}
	targets, upTo := p.log.Dirty()
	if len(targets) == 0 {
		return
	}
	p.flush.under, p.flush.upTo = true, upTo
	p.at().Flusher.Flush(targets, p.flush.done)
}

// flushAppended flushes after an append where that is due, and reports whether its answer has to wait for the flush whatever
// acks it asked for: flush.messages were reached, and Kafka flushes within such an append. Called with the mutex held.
func (p *Partition) flushAppended(o log.Offsets, bytes int) (due bool) {
	covered := o.Durable
	if p.flush.under {
		covered = max(covered, p.flush.upTo)
	}
	due = p.cfg.Flush.Messages > 0 && int64(o.End-covered) >= p.cfg.Flush.Messages
	if due || p.cfg.Durability == replica.Synced {
		p.flush.want = o.End
		p.flushNext()
	} else {
		p.writeEarly(bytes)
	}
	return due
}

// earlyBytes is what gathers of a log, under page-cache durability, before its writing is begun; earlyEdge is how far from the
// end that stops, so that no append meets a page which is just being written.
const (
	earlyBytes = 4 << 20
	earlyEdge  = 64 << 10
)

// writeEarly begins the writing of what was appended. Left alone, the kernel lets it gather, and then has appends wait for tens
// of milliseconds (ADR 0017). Called with the mutex held.
func (p *Partition) writeEarly(bytes int) {
	if p.flush.early += int64(bytes); p.flush.early < earlyBytes {
		return
	}
	if s, size, ok := p.log.Writing(); ok {
		end := size / earlyEdge * earlyEdge
		from := max(size-p.flush.early, 0) / earlyEdge * earlyEdge
		if end > from {
			p.at().Flusher.Begin(s, from, end-from)
		}
	}
	p.flush.early = 0
}

// FlushOld flushes what has waited for longer than flush.ms, for the log flush scheduler; or, with all, whatever there is, so
// that the file of the log may rest.
func (p *Partition) FlushOld(all bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if all && p.gone == nil && p.log != nil {
		p.flushAll()
		return
	}
	if p.gone != nil || p.log == nil || p.cfg.Flush.Ms == 0 || p.cfg.Flush.Ms > math.MaxInt64/int64(time.Millisecond) {
		return
	}
	if p.at().World.Now().Mono-p.flush.last >= time.Duration(p.cfg.Flush.Ms)*time.Millisecond {
		p.flushAll()
	}
}

// synced collects whom it concerns that the log has made records durable by itself, as it does before old segments go and where it is cut.
// Called with the mutex held; run the result after it.
func (p *Partition) synced() []func() {
	return append(p.settle(p.rep.Flushed(p.log.Offsets().Durable)), p.confirm()...)
}

func (p *Partition) flushed(err error) {
	p.mu.Lock()
	p.flush.under = false
	var calls []func()
	if err != nil && !mutant.On(mutant.FlushErrorIgnored) {
		first := p.gone == nil
		calls = p.fail(fault.Storage("flush of "+p.name.String(), err))
		if first {
			calls = append(calls, func() { p.at().Failed(err) })
		}
	} else if p.log != nil {
		p.flush.last = p.at().World.Now().Mono
		if mutant.On(mutant.FlushCoversLater) {
			p.flush.upTo = p.log.Offsets().End
		}
		p.log.Flushed(p.flush.upTo)
		calls = p.synced()
		if p.at().Replication != nil && !p.rep.Leads() {
			calls = append(calls, p.flush.tell)
		}
		p.flushNext()
	}
	calls = append(calls, p.ended()...)
	p.mu.Unlock()
	run(calls)
}
