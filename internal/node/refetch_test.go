package node_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
)

// Whole batches that are gone of a compacted log are not repaired in place (ADR 0027). The replica that is taken out of the partition and
// put back, as `milena reassign refetch` does it, begins anew, and has all of it again byte for byte.
func TestAReplicaThatCannotBeRepairedIsFetchedAnew(t *testing.T) {
	for seed := range uint64(2) {
		c := newThree(t, seed)
		leader, victim := c.led("t", 9)
		c.configure(leader, kmsg.ConfigResourceTypeTopic, "t", map[string]string{"cleanup.policy": "compact"})
		if seed == 0 {
			victim = leader
		}
		whole := c.rots(victim, func(d []byte) { clear(d[4*len(d)/9 : 6*len(d)/9]) })
		other := victim%3 + 1
		c.await("it is in sync", time.Minute, func() bool { return len(c.partitions(other, "t")[0].ISR) == 3 })
		c.await("the damage is found", time.Minute, func() bool {
			code, _ := c.read(victim, "t", 0, 4)
			return code == kafka.ErrCorruptMessage
		})
		c.w.Run(30 * time.Second)
		if c.at(victim).node.Gauges().Standing().Repair.Unmended == 0 {
			t.Fatalf("seed %d: it was repaired in place: the test tests nothing", seed)
		}
		rest := []int32{other, other%3 + 1}
		c.reassign(other, "t", rest...)
		c.await("its log is deleted", time.Minute, func() bool {
			return len(c.partitions(other, "t")[0].Replicas) == 2 && c.directories(victim, "t")[log.Current] == 0
		})
		c.reassign(other, "t", append(rest, victim)...)
		c.await("it is in sync again", time.Minute, func() bool { return len(c.partitions(other, "t")[0].ISR) == 3 })
		c.await("it has all of it", time.Minute, func() bool { return c.bytesOf(victim, firstSegment) == whole })
		c.await("nothing is left to repair", time.Minute, func() bool { return c.at(victim).node.Gauges().Standing().Repair.Unmended == 0 })
		if code, b := c.read(victim, "t", 0, 4); code != kafka.ErrNone || len(b) == 0 {
			t.Errorf("seed %d: %v, %d bytes", seed, code, len(b))
		}
	}
}
