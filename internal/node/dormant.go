package node

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

// standing tells where a partition stands. Of a log that is not open the files and checkpoints tell: after a clean stop
// the recovery point is its end.
func (r *replicas) standing(p *partition.Partition) partition.Standing {
	s := p.Standing()
	if s.Open {
		r.dormant.forget(p)
		return s
	}
	if known, ok := r.dormant.get(p); ok {
		return known
	}
	v := r.n.storage.of(p)
	if v.offline() != nil {
		return s // its files are not to be asked
	}
	dir := v.dir
	at := dir.Checkpointed(p.Name())
	s.Durable, s.LogStart = at.RecoveryPoint, at.LogStart
	entries, err := r.n.o.FS.List(dir.PartitionPath(p.Name()))
	if err != nil {
		return s // it has none yet
	}
	first := kafka.Offset(-1)
	for _, e := range entries {
		if stem, ok := strings.CutSuffix(e.Name, ".log"); ok {
			s.Bytes += e.Size
			if base, err := strconv.ParseInt(stem, 10, 64); err == nil && first < 0 {
				first = kafka.Offset(base) // they are listed in order
			}
		}
	}
	s.LogStart = max(s.LogStart, first)
	s.High = max(s.High, s.LogStart)
	s.End = max(s.Durable, s.High)
	r.dormant.put(p, s)
	return s
}
