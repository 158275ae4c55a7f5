package wire

import (
	"fmt"
	"testing"
)

func BenchmarkProduceWalk(b *testing.B) {
	for _, n := range []int{1, 16, 100} {
		body := produceBody(11, 1, n, 64)
		b.Run(fmt.Sprintf("partitions=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			total := 0
			for b.Loop() {
				p, err := ParseProduce(11, body)
				if err != nil {
					b.Fatal(err)
				}
				for part := range p.All {
					total += len(part.Records)
				}
			}
		})
	}
}
