//go:build !race

package fetch

// The race detector has pools forget at random, and what they forget is allocated again.

import (
	"testing"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/wire"
)

// However many partitions a follower's session has, a Fetch in the steady state leaves the same for the collector.
func TestAReplicasFetchAllocatesNothingPerPartition(t *testing.T) {
	cost := func(partitions int) float64 {
		b := newBroker(t, partitions)
		var at []stands
		for i := range partitions {
			at = append(at, stands{partition: int32(i), last: -1})
		}
		start := asking(0, 0, 1<<20, at...)
		start.MaxWaitMillis = 0
		session := b.send(start).session
		m := asking(session, 1, 1<<20)
		m.MaxWaitMillis, m.Topics = 0, nil
		req := &wire.Request{Version: 18, Key: kafka.KeyFetch}
		req.Reply = func(r wire.Reply) { r.Payload.Release() }
		in := must.Get(wire.ParseFetch(18, m.AppendTo(nil)))
		return testing.AllocsPerRun(100, func() {
			in.SessionEpoch++
			req.Fetch = in
			req.Fetch.SessionEpoch = in.SessionEpoch - 1
			b.area.Fetch(req)
		})
	}
	if few, many := cost(1), cost(100); many > few || few > 0 {
		t.Fatalf("%v allocations with one partition, %v with a hundred", few, many)
	}
}
