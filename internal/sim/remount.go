package sim

import (
	"slices"

	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
)

// remounts are what an operator does who has a disk back that was not there when its broker registered. Nothing tells it from its own backup, so
// that the broker has lost its place among who may lead what is on it; where nobody else has one he says that this is the disk
// (docs/operations.md, "A disk that was not mounted"). Of a backup he knows what it has cost, and says the same there: with two in sync for every
// acknowledged record, and one such broker in a run, nobody else has a place only where nothing was ever acknowledged, and the checkers hold him to
// that. A place that was lost without either was lost wrongly: he has no word for it, and the run fails.
type remounts struct {
	d       *deeds
	of      map[kafka.NodeID]bool                     // whose processes have registered without one of their directories
	backups map[kafka.NodeID][]kafka.TopicIDPartition // none of whose processes has served with the one it was given, and what had waited for them before
	cost    map[kafka.TopicIDPartition]bool           // what waits for a broker since it registered with a backup
}

func (r *run) remounts() *remounts {
	a := r.crowd.remounts
	if a == nil {
		a = &remounts{
			&deeds{c: newClient(r, "remounts")}, map[kafka.NodeID]bool{}, map[kafka.NodeID][]kafka.TopicIDPartition{}, map[kafka.TopicIDPartition]bool{},
		}
		r.crowd.remounts = a
		a.d.patrol(a.lead)
	}
	return a
}

// remount takes note of a broker whose process begins to serve without one of its directories, or ended before it did.
func (r *run) remount(id kafka.NodeID) { r.remounts().of[id] = true }

// backup takes note of a broker that is given a disk from before its last process registered.
func (r *run) backup(id kafka.NodeID) {
	a := r.remounts()
	if _, again := a.backups[id]; !again {
		a.backups[id] = r.waiting(id)
	}
}

// restored takes note of what a broker has lost by the backup that it begins to serve with, if it has one.
func (r *run) restored(id kafka.NodeID) {
	a := r.crowd.remounts
	if a == nil {
		return
	}
	if before, ok := a.backups[id]; ok {
		for _, p := range r.waiting(id) {
			a.cost[p] = a.cost[p] || !slices.Contains(before, p)
		}
		delete(a.backups, id)
	}
}

// waiting lists the partitions that only wait for the word that a broker is to lead them.
func (r *run) waiting(id kafka.NodeID) (out []kafka.TopicIDPartition) {
	r.watch.learn()
	for t := range r.watch.newest.Topics() {
		for n, p := range t.Partitions() {
			if known, ok := waits(p); ok && known == id {
				out = append(out, kafka.TopicIDPartition{TopicID: t.ID, Partition: n})
			}
		}
	}
	return out
}

// waits reports whether nobody may lead a partition without a word, and who is to.
func waits(p *image.Partition) (known kafka.NodeID, ok bool) {
	all := p.LastKnownELR()
	if p.Leader >= 0 || len(p.ISR())+len(p.ELR()) > 0 || len(all) != 1 || !slices.Contains(p.Replicas(), all[0]) {
		return kafka.NoNode, false
	}
	return all[0], true
}

// lead elects the last known leader of a partition that only waits for that word.
func (a *remounts) lead(img *image.Image, tp kafka.TopicPartition, p *image.Partition) (done bool) {
	known, ok := waits(p)
	id := kafka.TopicIDPartition{TopicID: img.TopicNamed(tp.Topic).ID, Partition: tp.Partition}
	if !ok {
		delete(a.cost, id)
	}
	if !ok || !a.of[known] && !a.cost[id] {
		return false
	}
	if b := img.Broker(known); b != nil && b.Active() && b.HasDirectory(p.Directory(b.ID)) {
		a.d.c.r.note("the operator has the disk of broker %d back, and %v led by it", b.ID, tp)
		a.d.elect(Remounted, tp, last(b.ID))
	}
	return false
}
