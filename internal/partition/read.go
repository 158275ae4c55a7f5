package partition

import (
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/mutant"
)

// Read asks for records.
type Read struct {
	From         kafka.Offset
	MaxBytes     int
	MinOne       bool // return the first batch even when it is larger than MaxBytes
	Committed    bool // read_committed: stop at the last stable offset, list aborted transactions
	CurrentEpoch kafka.LeaderEpoch
	LastEpoch    kafka.LeaderEpoch // LastFetchedEpoch, -1 for no check of divergence
	AnyReplica   bool              // a follower may answer, too (KIP-392)
}

// Records is what a read gives. Slice must be released.
type Records struct {
	Slice      log.Slice
	High       kafka.Offset
	LastStable kafka.Offset
	LogStart   kafka.Offset
	Aborted    []log.AbortedTxn // sorted by first offset; nil unless Committed
	Diverging  *EpochEnd        // set: no records, the client's log parted from ours here
	Moves      uint64           // of the partition when it was read; for Watch
	traffic    *Traffic
	replica    bool // a follower asked
}

// EpochEnd is where an epoch ends in this log.
type EpochEnd struct {
	Epoch kafka.LeaderEpoch
	End   kafka.Offset
}

// positions are where a partition stands, as clients see it.
type positions struct {
	LogStart, LocalLogStart, LastStable, High, Durable, End kafka.Offset
}

// Read returns committed records from an offset on; with none there yet the slice is empty. Errors:
// OFFSET_OUT_OF_RANGE, OFFSET_NOT_AVAILABLE, NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH,
// KAFKA_STORAGE_ERROR, CORRUPT_MESSAGE. High, LastStable and LogStart are set in any case that got as far as the log.
//
// A follower knows less than a client that was at the leader before: what is beyond its end it calls not available, and
// doesn't judge.
func (p *Partition) Read(r Read) (Records, error) {
	p.mu.Lock()
	if err := p.serve(r.CurrentEpoch, r.AnyReplica); err != nil {
		p.mu.Unlock()
		return Records{High: kafka.NoOffset, LastStable: kafka.NoOffset, LogStart: kafka.NoOffset, traffic: p.Traffic}, err
	}
	l, o, at, moves, leads := p.log, p.offsets(), p.reg.LeaderEpoch, p.watchers.moves, p.rep.Leads()
	p.mu.Unlock()

	out := Records{High: o.High, LastStable: o.LastStable, LogStart: o.LogStart, Moves: moves, traffic: p.Traffic}
	if !leads && r.From > o.End {
		return out, fault.New("partition.Read", kafka.ErrOffsetNotAvailable,
			"offset %d of %s is past the end %d of this follower", r.From, p.name, o.End)
	}
	if mutant.On(mutant.FollowerReadsAbove) && !leads {
		o.High, o.LastStable = o.End, o.End
	}
	var err error
	if out.Diverging, err = p.parted(l, at, o, r.From, r.LastEpoch); err != nil || out.Diverging != nil {
		return out, err
	}
	upper := o.High
	if r.Committed {
		upper = o.LastStable
	}
	if r.From >= upper {
		l.Follow()
		return out, nil
	}
	s, err := l.Read(r.From, log.ReadOptions{MaxBytes: r.MaxBytes, MinOne: r.MinOne, Upper: upper, Sparing: !r.MinOne})
	if err != nil && p.replaced(l) {
		return p.Read(r)
	}
	if err != nil {
		unreadable(p, err)
		return out, err
	}
	out.Slice = s
	if r.Committed {
		out.Aborted, err = l.AbortedTransactions(r.From, min(s.Next, upper))
		if err != nil && p.replaced(l) {
			s.Release()
			return p.Read(r)
		}
		if err != nil {
			unreadable(p, err)
			s.Release()
			out.Slice = log.Slice{}
		}
	}
	return out, err
}

// parted compares a reader's position with the log: where the log that it has read parts from this one it is told where (KIP-595).
func (p *Partition) parted(l *log.Log, at kafka.LeaderEpoch, o positions, from kafka.Offset, last kafka.LeaderEpoch) (*EpochEnd, error) {
	if from < o.LogStart { // also where the epochs part: nothing before the start says anything
		return nil, p.outside(from, o)
	}
	if last != kafka.NoLeaderEpoch {
		e := endOf(l, at, o.End, last)
		if e.Epoch < 0 || e.End < 0 {
			return nil, fault.New("partition.Read", kafka.ErrOffsetOutOfRange, "%s knows no epoch at or before %d", p.name, last)
		}
		if e.Epoch < last || e.End < from {
			parted := e // and not e itself, which would be allocated with each read
			return &parted, nil
		}
	}
	if from > o.End {
		return nil, p.outside(from, o)
	}
	return nil, nil
}

func (p *Partition) outside(from kafka.Offset, o positions) error {
	return fault.New("partition.Read", kafka.ErrOffsetOutOfRange, "offset %d of %s is outside %d..%d", from, p.name, o.LogStart, o.End)
}

// offsets reads every position. Called with the mutex held and the log open.
func (p *Partition) offsets() positions {
	o := p.log.Offsets()
	high := p.rep.HighWatermark()
	return positions{
		LogStart: o.LogStart, LocalLogStart: o.LocalLogStart, High: max(high, o.LogStart),
		LastStable: p.log.LastStable(max(high, o.LogStart)), Durable: o.Durable, End: o.End,
	}
}
