package partition

import (
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/machine/replica"
	"github.com/milena-io/milena/internal/mutant"
)

// Special timestamps of ListOffsets.
const (
	Latest                = -1
	Earliest              = -2
	MaxTimestamp          = -3 // KIP-734: offset and timestamp of the record with the largest timestamp
	EarliestLocal         = -4 // KIP-405
	LatestTiered          = -5 // KIP-1005
	EarliestPendingUpload = -6 // KIP-1023
)

// Found is an answer of OffsetAt; Offset is -1 where nothing matches.
type Found struct {
	Offset      kafka.Offset
	TimestampMs int64 // -1 where the question was for a position
	Epoch       kafka.LeaderEpoch
}

var notFound = Found{Offset: kafka.NoOffset, TimestampMs: -1, Epoch: kafka.NoLeaderEpoch}

// OffsetAt answers one ListOffsets question: a special timestamp, or the first record at or after a time in ms. A
// consumer sees no further than the high watermark, under read_committed no further than the last stable offset.
// Errors: those of the leader check, OFFSET_NOT_AVAILABLE while a new leader's high watermark has not reached the start
// of its own epoch (KIP-207), UNSUPPORTED_VERSION for a timestamp below -6.
func (p *Partition) OffsetAt(timestampMs int64, committed bool, epoch kafka.LeaderEpoch) (Found, error) {
	p.mu.Lock()
	if err := p.lead(epoch); err != nil {
		p.mu.Unlock()
		return notFound, err
	}
	l, o, at := p.log, p.offsets(), p.reg.LeaderEpoch
	start := p.rep.EpochStart()
	p.mu.Unlock()

	upper := o.High
	if committed {
		upper = o.LastStable
	}
	if o.High < start && !mutant.On(mutant.LatestBeforeEpochStart) && (timestampMs == Latest || timestampMs >= 0 || timestampMs == MaxTimestamp) {
		return notFound, fault.New("partition.OffsetAt", kafka.ErrOffsetNotAvailable,
			"the high watermark %d of %s has not reached offset %d, where leader epoch %d began", o.High, p.name, start, at)
	}
	switch {
	case timestampMs == Latest:
		return Found{Offset: upper, TimestampMs: -1, Epoch: at}, nil
	case timestampMs == Earliest || timestampMs == EarliestLocal:
		first := o.LogStart
		if timestampMs == EarliestLocal {
			first = o.LocalLogStart
		}
		epoch := l.EpochAt(first)
		if first == o.End {
			epoch = at // the next record will be of the epoch that leads
		}
		return Found{Offset: first, TimestampMs: -1, Epoch: epoch}, nil
	case timestampMs == LatestTiered || timestampMs == EarliestPendingUpload:
		// Without tiered storage nothing was ever uploaded, and Kafka answers -1 without an error.
		return notFound, nil
	case timestampMs < EarliestPendingUpload:
		return notFound, fault.New("partition.OffsetAt", kafka.ErrUnsupportedVersion, "no special timestamp %d is known", timestampMs)
	}
	var (
		t   log.TimestampOffset
		ok  bool
		err error
	)
	if timestampMs == MaxTimestamp {
		t, ok, err = l.MaxTimestamp()
	} else {
		t, ok, err = l.OffsetForTimestamp(timestampMs)
	}
	if err != nil && p.replaced(l) {
		return p.OffsetAt(timestampMs, committed, epoch)
	}
	unreadable(p, err)
	if err != nil || !ok || t.Offset >= upper {
		return notFound, err
	}
	return Found{Offset: t.Offset, TimestampMs: t.TimestampMs, Epoch: t.Epoch}, nil
}

// EpochEnd answers OffsetForLeaderEpoch: the largest epoch at or below the one asked for, and where it ends; -1 and -1
// where nothing is known. A consumer is told no more than the high watermark for the current epoch's end by Kafka's
// rule for consumers; replicas are told the log end.
func (p *Partition) EpochEnd(asked, current kafka.LeaderEpoch) (EpochEnd, error) {
	p.mu.Lock()
	if err := p.lead(current); err != nil {
		p.mu.Unlock()
		return EpochEnd{Epoch: kafka.NoLeaderEpoch, End: kafka.NoOffset}, err
	}
	l, at, end := p.log, p.reg.LeaderEpoch, p.log.Offsets().End
	p.mu.Unlock()
	return endOf(l, at, end, asked), nil
}

// endOf answers for an epoch as if the log had learned of its leader's epoch at when that began, as Kafka's does. Ours
// learns of it with the first append, and until then the epochs after its latest end where the log ends.
func endOf(l *log.Log, at kafka.LeaderEpoch, end kafka.Offset, asked kafka.LeaderEpoch) EpochEnd {
	latest := l.Epochs().Latest().Epoch
	switch {
	case asked <= latest || asked > at || asked < 0:
		e, o := l.EndOffsetForEpoch(asked)
		return EpochEnd{Epoch: e, End: o}
	case asked == at || latest < 0:
		return EpochEnd{Epoch: asked, End: end}
	}
	return EpochEnd{Epoch: latest, End: end}
}

// ProducerState is what a partition knows of one producer.
type ProducerState = log.ProducerState

// Producers lists the producers with state on this leader (DescribeProducers, KIP-664).
func (p *Partition) Producers() ([]ProducerState, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.lead(kafka.NoLeaderEpoch); err != nil {
		return nil, err
	}
	return p.log.Producers(), nil
}

// Standing is where a partition stands, for checkpoints and for whom it is shown to.
type Standing struct {
	Open                         bool // the log is open; otherwise all that is known is the high watermark at the last checkpoint
	Bytes                        int64
	LogStart, High, Durable, End kafka.Offset
	Recovery                     kafka.Offset       // where a recovery point may stand
	Rules                        replica.Durability // in force: after a switch from cache to sync still Cached for a while
}

// Standing tells where the partition stands. It doesn't open the log.
func (p *Partition) Standing() Standing {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.log == nil {
		return Standing{High: p.high}
	}
	o := p.log.Offsets()
	return Standing{
		Open: true, Bytes: p.log.Size(), LogStart: o.LogStart, High: p.rep.HighWatermark(), Durable: o.Durable, End: o.End,
		Recovery: log.Recoverable(p.log), Rules: p.rep.Rules(),
	}
}

// SaveEpochs brings the file of the leader epochs up to date where a recovery point waits for it, and tells whether one did. It takes as
// long as the disk does.
func SaveEpochs(p *Partition) (due bool, err error) {
	p.mu.Lock()
	l := p.log
	due = l != nil && l.Epochs().Shown() < l.Offsets().Durable
	p.mu.Unlock()
	if due {
		err = l.Epochs().Sync()
	}
	return due, err
}
