//go:build unix

package node

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"
)

// BenchmarkFollow is the way of a record from its producer to a consumer that waits for it, with the tail in memory and
// without: the median, and what the process, clients included, takes of the processor.
func BenchmarkFollow(b *testing.B) {
	for _, size := range []int{100, 1000, 10_000} {
		for _, most := range []string{"0", "33554432"} {
			b.Run(fmt.Sprintf("bytes=%d/tail=%s", size, most), func(b *testing.B) {
				f := newFollower(b, size, "milena.tail.cache.max.bytes", most)
				for range 1000 {
					f.round()
				}
				var took []time.Duration
				b.ReportAllocs()
				before := cpu()
				for b.Loop() {
					began := time.Now()
					f.round()
					took = append(took, time.Since(began))
				}
				b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/op")
				slices.Sort(took)
				b.ReportMetric(float64(took[len(took)/2]), "p50-ns")
			})
		}
	}
}

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
