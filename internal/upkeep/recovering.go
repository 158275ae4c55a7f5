package upkeep

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
	of    *Upkeep
	total int

	mu   sync.Mutex
	left int
	said time.Duration // when it was told last how far it is
}

// recoveryWord is how often a long recovery says how far it is, and from when on it is a long one.
const recoveryWord = time.Second

// Recover opens the logs of partitions, after an unclean stop.
func (u *Upkeep) Recover(all []*partition.Partition) {
	if len(all) == 0 {
		u.o.Recovered()
		return
	}
	r := &recovering{of: u, total: len(all), left: len(all), said: u.o.World.Now().Mono}
	of := map[*storage.Volume][]*partition.Partition{}
	for _, p := range all {
		v := u.o.Storage.Of(p)
		v.Unrecovered.Add(1)
		of[v] = append(of[v], p)
	}
	for _, v := range u.o.Storage.Volumes {
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
		r.of.log("kafka.log").Error("A log could not be recovered; its partition answers with an error. See milena log verify.", "partition", p.Name().String(), "error", err)
	}
	v.Unrecovered.Add(-1)
	now := r.of.o.World.Now().Mono
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
		r.of.o.Storage.Space.Again()
		r.of.o.Recovered()
	case tell:
		r.tell(left, v)
	}
}

// tell says how far it is; a node that stops has other things to say.
func (r *recovering) tell(left int, at *storage.Volume) {
	switch {
	case r.of.o.Life.Over():
	case r.of.o.Recovering != nil:
		r.of.o.Recovering(r.total-left, r.total)
	case left > 0:
		r.of.log("kafka.log").Info(fmt.Sprintf("Recovering logs (%d/%d completed)", r.total-left, r.total), "dir", at.Path, "remaining", left)
	}
}

// Unrecovered is how many logs of a directory are still to be recovered.
func (u *Upkeep) Unrecovered(path string) int64 {
	for _, v := range u.o.Storage.Volumes {
		if v.Path == path {
			return v.Unrecovered.Load()
		}
	}
	return 0
}
