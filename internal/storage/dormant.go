package storage

import (
	"strconv"
	"strings"
	"sync"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/partition"
)

// dormant remembers what the files of logs say that nobody has opened since the start. Such files don't change, so each
// is looked at once.
type dormant struct {
	mu   sync.Mutex
	seen map[*partition.Partition]partition.Standing
}

func (d *dormant) get(p *partition.Partition) (partition.Standing, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, ok := d.seen[p]
	return s, ok
}

func (d *dormant) put(p *partition.Partition, s partition.Standing) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.seen == nil {
		d.seen = map[*partition.Partition]partition.Standing{}
	}
	d.seen[p] = s
}

func (d *dormant) forget(p *partition.Partition) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.seen, p)
}

// Standing tells where a partition stands. Of a log that is not open the files and checkpoints tell: after a clean stop
// the recovery point is its end.
func (s *Storage) Standing(p *partition.Partition) partition.Standing {
	at := p.Standing()
	if at.Open {
		s.dormant.forget(p)
		return at
	}
	if known, ok := s.dormant.get(p); ok {
		return known
	}
	v := s.Of(p)
	if v.Offline() != nil {
		return at // its files are not to be asked
	}
	dir := v.Dir
	saved := dir.Checkpointed(p.Name())
	at.Durable, at.LogStart = saved.RecoveryPoint, saved.LogStart
	entries, err := s.FS.List(dir.PartitionPath(p.Name()))
	if err != nil {
		return at // it has none yet
	}
	first := kafka.Offset(-1)
	for _, e := range entries {
		if stem, ok := strings.CutSuffix(e.Name, ".log"); ok {
			at.Bytes += e.Size
			if base, err := strconv.ParseInt(stem, 10, 64); err == nil && first < 0 {
				first = kafka.Offset(base) // they are listed in order
			}
		}
	}
	at.LogStart = max(at.LogStart, first)
	at.High = max(at.High, at.LogStart)
	at.End = max(at.Durable, at.High)
	s.dormant.put(p, at)
	return at
}
