package node

import (
	"fmt"
	"sync"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/partition"
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
	of := map[*volume][]*partition.Partition{}
	for _, p := range all {
		v := n.storage.of(p)
		v.unrecovered.Add(1)
		of[v] = append(of[v], p)
	}
	for _, v := range n.storage.volumes {
		v.settled.then(func() {
			for _, p := range of[v] {
				v.env.Chores.Go(func() { r.recover(v, p) })
			}
		})
	}
}

// recover opens one log.
func (r *recovering) recover(v *volume, p *partition.Partition) {
	if err := p.Open(); err != nil && !fault.IsKind(err, fault.Closed) {
		r.n.log("kafka.log").Error("A log could not be recovered; its partition answers with an error. See milena log verify.", "partition", p.Name().String(), "error", err)
	}
	v.unrecovered.Add(-1)
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
func (r *recovering) tell(left int, at *volume) {
	switch {
	case r.n.over():
	case r.n.o.Recovering != nil:
		r.n.o.Recovering(r.total-left, r.total)
	case left > 0:
		r.n.log("kafka.log").Info(fmt.Sprintf("Recovering logs (%d/%d completed)", r.total-left, r.total), "dir", at.path, "remaining", left)
	}
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

// settleAhead begins, before anybody can ask for a log, to make durable what an unclean stop left of many logs in a
// directory; their recovery waits for it, and those that are asked for meanwhile don't (ADR 0014).
func (v *volume) settleAhead() {
	all, err := v.dir.Partitions()
	logs := 0
	for _, d := range all {
		if d.Kind == log.Current {
			logs++
		}
	}
	if clean, _ := v.dir.Clean(); clean || err != nil || logs < manyLogs {
		v.settled.open() // of an error the start fails soon
		return
	}
	v.n.o.World.Go(func() {
		log.SyncVolume(v.dir)
		v.settled.open()
	})
}

// manyLogs is from how many logs on a volume is synced as a whole.
const manyLogs = 64

// gate holds what waits for one thing to be over.
type gate struct {
	mu      sync.Mutex
	passed  bool
	waiting []func()
}

// then runs f once the gate is open, at once if it is.
func (g *gate) then(f func()) {
	g.mu.Lock()
	passed := g.passed
	if !passed {
		g.waiting = append(g.waiting, f)
	}
	g.mu.Unlock()
	if passed {
		f()
	}
}

// open lets everybody through, from now on.
func (g *gate) open() {
	g.mu.Lock()
	waiting := g.waiting
	g.passed, g.waiting = true, nil
	g.mu.Unlock()
	for _, f := range waiting {
		f()
	}
}
