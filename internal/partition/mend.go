package partition

import (
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
)

// Damage is offsets of a log whose bytes do not check: [First, Next).
type Damage struct{ First, Next kafka.Offset }

// Damages returns what is known to be damaged in a partition's log, ascending; nothing while nobody has opened that.
func Damages(p *Partition) []Damage {
	p.mu.Lock()
	l := p.log
	if p.gone != nil || l == nil {
		p.mu.Unlock()
		return nil
	}
	p.mu.Unlock()
	found := l.Damages()
	out := make([]Damage, 0, len(found))
	for _, d := range found {
		out = append(out, Damage{d.First, d.Next})
	}
	return out
}

// Epoch is the leader epoch of the newest registration.
func Epoch(p *Partition) kafka.LeaderEpoch {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reg.LeaderEpoch
}

// Mend puts another replica's batches where the log is damaged from an offset on, durably, and returns up to where (log.Mend,
// R15). It holds the partition for one sync. Who waits for records reads again. Errors: fault.Corrupt for what does not fit;
// KAFKA_STORAGE_ERROR while the log is being moved or compacted, which passes; fault.Closed.
func Mend(p *Partition, from kafka.Offset, batches []byte) (kafka.Offset, error) {
	p.mu.Lock()
	if p.gone != nil || p.log == nil {
		p.mu.Unlock()
		return from, fault.Shutdown("partition.Mend")
	}
	if p.ending.move != nil || p.ending.compacting {
		p.mu.Unlock()
		return from, fault.New("partition.Mend", kafka.ErrKafkaStorageError, "the log of %s is being worked on; try again", p.name)
	}
	next, err := log.Mend(p.log, from, batches)
	var calls []func()
	if fault.IsKind(err, fault.Disk) {
		calls = append(p.fail(err), func() { p.at().Failed(err) })
	} else if next > from {
		calls = p.wake()
	}
	p.mu.Unlock()
	run(calls)
	return next, err
}
