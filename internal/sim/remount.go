package sim

import (
	"slices"
	"time"

	"github.com/milena-io/milena/internal/kafka"
)

// remounts are what an operator does who has a disk back that was not there when its broker registered. Nothing tells it from its own backup, so
// that the broker has lost its place among who may lead what is on it; where nobody else has one he says that this is the disk
// (docs/operations.md, "A disk that was not mounted").
type remounts struct {
	d  *deeds
	of map[kafka.NodeID]bool // whose processes have served without one of their directories
}

// remount takes note of a machine whose process begins to serve without one of its directories.
func (r *run) remount(m *machine) {
	a := r.crowd.remounts
	if a == nil {
		a = &remounts{&deeds{c: newClient(r, "remounts")}, map[kafka.NodeID]bool{}}
		r.crowd.remounts = a
		a.again()
	}
	a.of[m.id] = true
}

func (a *remounts) again() { a.d.c.later(200*time.Millisecond, a.turn) }

// turn elects the last known leader of each partition that only waits for that word.
func (a *remounts) turn() {
	r := a.d.c.r
	if r.phase == reading {
		return
	}
	defer a.again()
	r.watch.learn()
	img := r.watch.newest
	for t := range img.Topics() {
		for n, p := range t.Partitions() {
			last := p.LastKnownELR()
			if p.Leader >= 0 || len(p.ISR())+len(p.ELR()) > 0 || len(last) != 1 {
				continue
			}
			b := img.Broker(last[0])
			if b == nil || !b.Active() || !b.HasDirectory(p.Directory(b.ID)) || !a.of[b.ID] || !slices.Contains(p.Replicas(), b.ID) {
				continue
			}
			tp := kafka.TopicPartition{Topic: t.Name, Partition: n}
			r.note("the operator has the disk of broker %d back, and %v led by it", b.ID, tp)
			a.d.elect(Remounted, tp, true)
		}
	}
}
