package quorum

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkChangesOneByOne makes a thousand changes of three records, each after the answer to the one before, on three
// voters in a virtual world: what they cost in CPU and allocations, and how long each takes by the virtual clock, where a
// message takes up to 3 ms.
func BenchmarkChangesOneByOne(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		c := newCluster(b, 1, 3, Config{})
		leader := c.awaitLeader()
		began, done := c.w.Now().Mono, 0
		var next func()
		next = func() {
			leader.q.Submit(put{fmt.Sprint(done), "v", 3}, func(_ Reply, err error) {
				if err != nil {
					b.Fatal(err)
				}
				if done++; done < 1000 {
					next()
				}
			})
		}
		next()
		if !c.w.RunUntil(time.Minute, func() bool { return done == 1000 }) {
			b.Fatal(done)
		}
		b.ReportMetric(float64((c.w.Now().Mono-began).Microseconds())/1000, "virtual-µs/change")
	}
}
