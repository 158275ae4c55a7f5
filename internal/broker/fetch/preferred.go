package fetch

import (
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/replica"
	"github.com/milena-io/milena/internal/partition"
)

// prefer returns the replica that a consumer had better read from, as Apache Kafka's RackAwareReplicaSelector chooses (KIP-392):
// an in-sync follower in its rack that has the offset, the most advanced one, unless the leader is in that rack, too. NoNode
// is here. A follower never sends anybody on.
func (w *pending) prefer(p *partition.Partition, from kafka.Offset) kafka.NodeID {
	if w.from.rack == "" || !w.ask.anyReplica {
		return kafka.NoNode
	}
	listener := w.req.Peer.Listener
	w.from.choice = partition.AsLeader(p).Followers(w.from.choice[:0])
	best := replica.Known{Node: kafka.NoNode}
	for _, f := range w.from.choice {
		if !f.InSync || from < f.Start || from > f.End {
			continue
		}
		if rack, ok := w.area.partitions.Near(f.Node, listener); !ok || rack != w.from.rack {
			continue
		}
		if best.Node == kafka.NoNode || f.End > best.End || f.End == best.End && f.Behind < best.Behind {
			best = f
		}
	}
	if best.Node == kafka.NoNode {
		return kafka.NoNode
	}
	if rack, ok := w.area.partitions.Near(partition.AsLeader(p).Node(), listener); ok && rack == w.from.rack {
		return kafka.NoNode
	}
	return best.Node
}
