package partition

import (
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
)

// Digest sums up batches of a log, to be compared with another replica's.
type Digest = log.Digest

// DigestBytes is how much is summed up at a time.
const DigestBytes = 1 << 20

// DigestOf sums up committed batches from one offset up to another, or the high watermark. Of a log that was or may be compacted
// there is none: replicas compact for themselves.
func DigestOf(p *Partition, from, to kafka.Offset) (Digest, error) {
	p.mu.Lock()
	if err := p.ready(); err != nil {
		p.mu.Unlock()
		return Digest{}, err
	}
	l, o, compacted := p.log, p.offsets(), p.cfg.Log.Accept.Compacted
	p.mu.Unlock()
	if compacted {
		return Digest{}, fault.New("partition.Digest", kafka.ErrPolicyViolation, "%s is compacted", p.name)
	}
	return log.DigestOf(l, from, min(to, o.High), DigestBytes)
}

// Condemn notes committed batches as damage, since most replicas have others there; then they are repaired as other damage is.
func Condemn(p *Partition, from, next kafka.Offset) error {
	p.mu.Lock()
	l := p.log
	gone := p.gone != nil || l == nil
	p.mu.Unlock()
	if gone {
		return fault.Shutdown("partition.Condemn")
	}
	return log.Condemn(l, from, next)
}
