package node

import (
	"fmt"
	"sync"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/storage"
)

// recovering is the recovery, after an unclean stop, of the logs that nobody has asked for yet: as many of a directory at a
// time as num.recovery.threads.per.data.dir says. Whoever asks for a log has it recovered at once.
type recovering struct {
	n     *Node
	total int

	mu   sync.Mutex
	left int
	said time.Duration // when it was told last how far it is
}

// recoveryWord is how often a long recovery says how far it is, and from when on it is a long one.
const recoveryWord = time.Second

// recoverAll opens the logs of partitions.
func (n *Node) recoverAll(all []*partition.Partition) {
	if len(all) == 0 {
		n.replicas.news.recovered()
		return
	}
	r := &recovering{n: n, total: len(all), left: len(all), said: n.o.World.Now().Mono}
	of := map[*storage.Volume][]*partition.Partition{}
	for _, p := range all {
		v := n.storage.Of(p)
		v.Unrecovered.Add(1)
		of[v] = append(of[v], p)
	}
	for _, v := range n.storage.Volumes {
		v.Settled.Then(func() {
			for _, p := range of[v] {
				v.Env.Chores.Go(func() { r.recover(v, p) })
			}
		})
	}
}

// recover opens one log.
func (r *recovering) recover(v *storage.Volume, p *partition.Partition) {
	if err := p.Open(); err != nil && !fault.IsKind(err, fault.Closed) {
		r.n.log("kafka.log").Error("A log could not be recovered; its partition answers with an error. See milena log verify.", "partition", p.Name().String(), "error", err)
	}
	v.Unrecovered.Add(-1)
	now := r.n.o.World.Now().Mono
	r.mu.Lock()
	r.left--
	left, tell := r.left, now-r.said >= recoveryWord
	if tell {
		r.said = now
	}
	r.mu.Unlock()
	switch {
	case left == 0:
		r.tell(0, v)
		r.n.replicas.news.recovered()
	case tell:
		r.tell(left, v)
	}
}

// tell says how far it is; a node that stops has other things to say.
func (r *recovering) tell(left int, at *storage.Volume) {
	switch {
	case r.n.life.Over():
	case r.n.o.Recovering != nil:
		r.n.o.Recovering(r.total-left, r.total)
	case left > 0:
		r.n.log("kafka.log").Info(fmt.Sprintf("Recovering logs (%d/%d completed)", r.total-left, r.total), "dir", at.Path, "remaining", left)
	}
}

// unrecovered is how many logs of a directory are still to be recovered.
func (n *Node) unrecovered(path string) int64 {
	for _, v := range n.storage.Volumes {
		if v.Path == path {
			return v.Unrecovered.Load()
		}
	}
	return 0
}
