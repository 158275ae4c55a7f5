package node_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// R15: bytes that check and yet are not what the others have, as a write that went astray leaves them, are found when the scrub
// compares sums, and repaired from those who agree, on a follower and on the leader.
func TestTheScrubFindsAReplicaThatDiffers(t *testing.T) {
	for seed := range uint64(2) {
		c := newThreeWith(t, seed, func(int) map[string]string { return map[string]string{"milena.scrub.interval.ms": "60000"} })
		leader, victim := c.led("t", 0)
		if seed == 1 {
			victim = leader
		}
		c.configure(leader, kmsg.ConfigResourceTypeTopic, "t", map[string]string{"segment.bytes": "1048576", "retention.ms": "-1"})
		noise := rand.New(rand.NewPCG(seed, 2))
		value := make([]byte, 300_000)
		for range 6 {
			for i := range value {
				value[i] = byte(noise.Uint32())
			}
			if code, _ := c.write(leader, "t", 0, string(value)); code != kafka.ErrNone {
				t.Fatal(code)
			}
		}
		whole := c.rots(victim, func(d []byte) {
			_, rest, err := record.Next(d)
			must.OK(err)
			second, _, err := record.Next(rest)
			must.OK(err)
			second[70] ^= 0xff
			second.Seal()
		})
		for range 40 {
			if c.w.Run(15 * time.Second); c.bytesOf(victim, firstSegment) == whole {
				break
			}
		}
		if c.bytesOf(victim, firstSegment) != whole {
			t.Errorf("seed %d: it was not repaired", seed)
		}
		s := c.at(victim).node.Gauges().Standing()
		if s.Repair.Differing == 0 || s.Repair.Mended == 0 || s.Repair.Unmended != 0 {
			t.Errorf("seed %d: %d differences, %d repaired, %d left", seed, s.Repair.Differing, s.Repair.Mended, s.Repair.Unmended)
		}
		for id := range int32(3) {
			if other := c.at(id + 1).node.Gauges().Standing(); id+1 != victim && other.Repair.Differing > 0 {
				t.Errorf("seed %d: node %d believes that it differs", seed, id+1)
			}
		}
	}
}
