package partition

import (
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/log/epoch"
	"github.com/milena-io/milena/internal/machine/replica"
	"github.com/milena-io/milena/internal/record"
)

// Probed is a replica at one moment, as whoever proves the replication protocol looks at it from outside.
type Probed struct {
	Standing
	Registration replica.Registration
	Leads        bool
	EpochStart   kafka.Offset      // on the leader
	Latest       kafka.LeaderEpoch // of the log
}

// Probe looks at a replica without opening its log. Nothing that a broker does asks it.
func Probe(p *Partition) Probed {
	s := p.Standing()
	p.mu.Lock()
	defer p.mu.Unlock()
	out := Probed{Standing: s, Registration: p.reg}
	if out.Open = s.Open && p.log != nil; out.Open {
		out.Leads, out.EpochStart, out.Latest = p.rep.Leads() && p.gone == nil, p.rep.EpochStart(), p.lastEpoch()
	}
	return out
}

// EpochsOf is which epochs an open log knows, and where each began.
func EpochsOf(p *Partition) []epoch.Entry {
	p.mu.Lock()
	l := p.log
	p.mu.Unlock()
	if l == nil {
		return nil
	}
	return l.Epochs().Entries()
}

// HeardOf is what an open log's leader has heard of the processes of its followers last: the broker epoch of each.
func HeardOf(p *Partition) map[kafka.NodeID]kafka.BrokerEpoch {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.log == nil || !p.rep.Leads() {
		return nil
	}
	return p.rep.Leading().Heard()
}

// EachBatch walks the batches of an open log from an offset to its end, committed or not, without checking that this node leads.
func EachBatch(p *Partition, from kafka.Offset, do func(record.Batch)) error {
	p.mu.Lock()
	l := p.log
	p.mu.Unlock()
	if l == nil {
		return nil
	}
	for o := l.Offsets(); from < o.End; {
		s, err := l.Read(max(from, o.LogStart), log.ReadOptions{MaxBytes: 1 << 20, MinOne: true, Upper: o.End})
		if err != nil {
			return err
		}
		b, err := s.AppendTo(nil)
		from = s.Next
		s.Release()
		for len(b) > 0 && err == nil {
			var one record.Batch
			if one, b, err = record.Next(b); err == nil {
				do(one)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
