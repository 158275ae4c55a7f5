package quorum

import (
	"slices"
	"testing"
	"time"
)

// BenchmarkSuccession is the virtual time from a leader's death to the next leader that takes commands, over 200 seeds:
// when the others are told that its process is gone, and when they have to notice its silence.
func BenchmarkSuccession(b *testing.B) {
	for _, told := range []bool{true, false} {
		name := "silence"
		if told {
			name = "told"
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				took := make([]time.Duration, 200)
				for seed := range took {
					took[seed] = succession(b, uint64(seed), 3, told)
				}
				slices.Sort(took)
				b.ReportMetric(float64(took[100].Microseconds())/1000, "p50-ms")
				b.ReportMetric(float64(took[198].Microseconds())/1000, "p99-ms")
				b.ReportMetric(float64(took[199].Microseconds())/1000, "max-ms")
			}
		})
	}
}
