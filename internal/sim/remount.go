package sim

import (
	"slices"

	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
)

// remounts are what an operator does who has a disk back that was not there when its broker registered. Nothing tells it from its own backup, so
// that the broker has lost its place among who may lead what is on it; where nobody else has one he says that this is the disk
// (docs/operations.md, "A disk that was not mounted").
type remounts struct {
	d  *deeds
	of map[kafka.NodeID]bool // whose processes have registered without one of their directories
}

// remount takes note of a broker whose process begins to serve without one of its directories, or ended before it did.
func (r *run) remount(id kafka.NodeID) {
	a := r.crowd.remounts
	if a == nil {
		a = &remounts{&deeds{c: newClient(r, "remounts")}, map[kafka.NodeID]bool{}}
		r.crowd.remounts = a
		a.d.patrol(a.lead)
	}
	a.of[id] = true
}

// lead elects the last known leader of a partition that only waits for that word.
func (a *remounts) lead(img *image.Image, tp kafka.TopicPartition, p *image.Partition) (done bool) {
	known := p.LastKnownELR()
	if p.Leader >= 0 || len(p.ISR())+len(p.ELR()) > 0 || len(known) != 1 || !a.of[known[0]] || !slices.Contains(p.Replicas(), known[0]) {
		return false
	}
	if b := img.Broker(known[0]); b != nil && b.Active() && b.HasDirectory(p.Directory(b.ID)) {
		a.d.c.r.note("the operator has the disk of broker %d back, and %v led by it", b.ID, tp)
		a.d.elect(Remounted, tp, last(known[0]))
	}
	return false
}
