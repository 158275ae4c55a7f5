package node

import (
	"fmt"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/partition"
)

// recovering is the recovery, after an unclean stop, of the logs that nobody has asked for yet: one after the other.
type recovering struct {
	n     *Node
	left  []unrecovered
	total int
	said  time.Duration // when the log told last how far it is
}

// unrecovered is a log that is to be recovered, and where it lies.
type unrecovered struct {
	p *partition.Partition
	v *volume
}

// recoveryWord is how often a long recovery says how far it is.
const recoveryWord = 5 * time.Second

// recoverAll opens the logs of partitions.
func (n *Node) recoverAll(all []*partition.Partition) {
	r := &recovering{n: n, total: len(all), said: n.o.World.Now().Mono}
	for _, p := range all {
		u := unrecovered{p, n.storage.of(p)}
		u.v.unrecovered.Add(1)
		r.left = append(r.left, u)
	}
	r.next()
}

func (r *recovering) next() {
	if len(r.left) == 0 {
		r.n.replicas.news.recovered()
		return
	}
	r.n.o.World.Go(func() {
		at := r.left[0]
		if err := at.p.Open(); err != nil && !fault.IsKind(err, fault.Closed) {
			r.n.log("kafka.log").Error("A log could not be recovered; its partition answers with an error. See milena log verify.", "partition", at.p.Name().String(), "error", err)
		}
		at.v.unrecovered.Add(-1)
		r.left = r.left[1:]
		if now := r.n.o.World.Now().Mono; now-r.said >= recoveryWord && len(r.left) > 0 {
			r.said = now
			r.n.log("kafka.log").Info(fmt.Sprintf("Recovering logs (%d/%d completed)", r.total-len(r.left), r.total), "dir", at.v.path, "remaining", len(r.left))
		}
		r.next()
	})
}

// unrecovered is how many logs of a directory are still to be recovered.
func (s *storage) unrecovered(path string) int64 {
	for _, v := range s.volumes {
		if v.path == path {
			return v.unrecovered.Load()
		}
	}
	return 0
}
