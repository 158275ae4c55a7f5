package upkeep

import (
	"math"
	"time"

	"github.com/milena-io/milena/internal/storage"
)

// flushSchedule is how often logs are asked whether flush.ms has passed. By default, as in Kafka, nobody asks.
const flushSchedule = "log.flush.scheduler.interval.ms"

// scheduleFlushes starts Kafka's log flush scheduler: flush.ms does nothing without it.
func (u *Upkeep) scheduleFlushes() {
	if u.o.Static.Int(flushSchedule) > math.MaxInt64/int64(time.Millisecond) {
		return
	}
	u.eachEvery(flushSchedule, func(v *storage.Volume) error {
		for _, p := range u.in(v) {
			p.FlushOld(false)
		}
		return nil
	})
}
