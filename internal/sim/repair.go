package sim

import (
	"slices"

	"github.com/milena-io/milena/internal/history/faults"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
)

// repairs are what an operator does whose disk was replaced: a replica whose directory is gone stays offline for as long as it is
// assigned to it (ADR 0010), so it is taken away and given back, which has it made anew from the others.
type repairs struct{ d *deeds }

// repair has replaced disks filled again, while faults come and after.
func (r *run) repair() {
	if r.plan.Swarm.Weights[faults.Wipe] > 0 {
		a := &repairs{&deeds{c: newClient(r, "repairs")}}
		a.d.patrol(a.mend)
	}
}

// mend takes one step with a partition, if it needs one. Where the disk had the only copy that may lead the operator has another lead
// first: without a leader no replica is made anew. The checkers judge what is lost by that.
func (a *repairs) mend(img *image.Image, tp kafka.TopicPartition, p *image.Partition) (done bool) {
	if known, ok := waits(p); ok && a.gone(img, p, known) {
		a.d.c.r.note("the disk of broker %d is replaced, and the operator has another lead %v", known, tp)
		a.d.elect(Repaired, tp, unclean)
		return true
	}
	to, needed := a.step(img, p)
	if needed {
		a.d.c.r.note("the operator repairs %v: from %v to %v", tp, p.Replicas(), to)
		a.d.assign(Repaired, tp, to)
	}
	return needed
}

// step is what the replicas of a partition should be next, nil for those it had before a reassignment that cannot end, and whether
// anything is to be done.
func (a *repairs) step(img *image.Image, p *image.Partition) (to []int32, needed bool) {
	if p.Reassigning() {
		return nil, a.lost(img, p)
	}
	var sound, free []int32
	for b := range img.LiveBrokers() {
		switch {
		case !slices.Contains(p.Replicas(), b.ID):
			free = append(free, int32(b.ID))
		case b.HasDirectory(p.Directory(b.ID)):
			sound = append(sound, int32(b.ID))
		}
	}
	have, want := len(p.Replicas()), a.d.c.r.plan.Swarm.Replicas
	switch {
	case have == want && len(sound) == have-1 && a.lost(img, p):
		return sound, true
	case have < want && len(free) >= want-have && len(sound) == have:
		return append(sound, free[:want-have]...), true
	}
	return nil, false
}

// lost reports whether the directory of a replica is gone.
func (a *repairs) lost(img *image.Image, p *image.Partition) bool {
	return slices.ContainsFunc(p.Replicas(), func(n kafka.NodeID) bool { return a.gone(img, p, n) })
}

// gone reports whether a broker that is there has not the directory that a partition is assigned to, and won't have it back: one that
// failed is, when the process starts anew, and what was made in another directory meanwhile would be there twice.
func (a *repairs) gone(img *image.Image, p *image.Partition, n kafka.NodeID) bool {
	b, m := img.Broker(n), a.d.c.r.at(n)
	serves := m != nil && m.ready && m.node != nil && !m.node.Probe().Bereft()
	return b != nil && b.Active() && !b.HasDirectory(p.Directory(n)) && serves
}
