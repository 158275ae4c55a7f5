package node

import (
	"math"
	"time"
)

// flushSchedule is how often logs are asked whether flush.ms has passed. By default, as in Kafka, nobody asks.
const flushSchedule = "log.flush.scheduler.interval.ms"

// scheduleFlushes starts Kafka's log flush scheduler: flush.ms does nothing without it.
func (n *Node) scheduleFlushes() {
	if n.o.Values.Int(flushSchedule) > math.MaxInt64/int64(time.Millisecond) {
		return
	}
	n.every(flushSchedule, func() error {
		for _, p := range n.replicas.All() {
			p.FlushOld(false)
		}
		return nil
	})
}
