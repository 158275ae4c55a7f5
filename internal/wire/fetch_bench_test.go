package wire

import (
	"fmt"
	"testing"
)

func BenchmarkFetchWalk(b *testing.B) {
	for _, n := range []int{1, 16, 100} {
		body := fetchBody(18, n)
		b.Run(fmt.Sprintf("partitions=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			total := 0
			for b.Loop() {
				f, err := ParseFetch(18, body)
				if err != nil {
					b.Fatal(err)
				}
				for p := range f.All {
					total += int(p.MaxBytes)
				}
			}
		})
	}
}
