package node

import (
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/segment"
)

// Damaged returns who hears of what does not check in a partition's log. Each stretch is told once, with where it is and
// which offsets it takes; it is counted for the metrics.
func (r *replicas) Damaged(name kafka.TopicPartition) func(segment.Damage) {
	w := &r.news
	return func(d segment.Damage) {
		w.damages.Add(1)
		w.n.o.World.Go(func() { // whoever met it may hold locks
			r.others.damaged(name)
			w.n.log("kafka.log").Error("A record of "+name.String()+" is damaged. Its offsets answer CORRUPT_MESSAGE; everything before and behind them is served.",
				"file", d.Path, "fromByte", d.Pos, "toByte", d.End, "firstOffset", int64(d.First), "nextOffset", int64(d.Next), "reason", d.Why)
		})
	}
}
