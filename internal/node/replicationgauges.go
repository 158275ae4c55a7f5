package node

import (
	"github.com/milena-io/milena/internal/metrics"
)

// replication tells how replication goes here, on both sides.
func (g gauges) replication() metrics.Replication {
	r := g.n.replicas
	out := metrics.Replication{
		ISRShrinks: r.seen.shrinks.Load(), ISRExpands: r.seen.expands.Load(), FailedISRUpdates: r.others.wishes.Refused(),
	}
	for _, f := range r.others.fetchers.Followed() {
		out.MaxLag = max(out.MaxLag, f.Lag)
		if f.Resting {
			out.FailedPartitions++
		}
	}
	return out
}

// Followed tells of the partitions that this node follows.
func (g gauges) Followed() []metrics.Followed {
	all := g.n.replicas.others.fetchers.Followed()
	out := make([]metrics.Followed, len(all))
	for i, f := range all {
		out[i] = metrics.Followed{TopicPartition: f.Name, Leader: f.Leader, Fetcher: f.Shard, Lag: f.Lag}
	}
	return out
}
