package log

import (
	"fmt"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
)

// BenchmarkCheckpoint is what a second of a node with 100,000 written partitions costs its recovery points, when so many of them
// have moved: nothing without change, and the whole file, as in Apache Kafka, with any.
func BenchmarkCheckpoint(b *testing.B) {
	const known = 100_000
	for _, moved := range []int{0, 10_000} {
		b.Run(fmt.Sprintf("known=%d/moved=%d", known, moved), func(b *testing.B) {
			c := &checkpoints{fs: disk.NewOS(), path: b.TempDir(), recovery: checkpoint.Offsets{}}
			all := checkpoint.Offsets{}
			for i := range known {
				all[kafka.TopicPartition{Topic: fmt.Sprint("topic-", i/1000), Partition: int32(i % 1000)}] = 7
			}
			if err := c.SaveRecoveryPoints(all); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for at := kafka.Offset(8); b.Loop(); at++ {
				points := checkpoint.Offsets{}
				for i := range moved {
					points[kafka.TopicPartition{Topic: fmt.Sprint("topic-", i/1000), Partition: int32(i % 1000)}] = at
				}
				if err := c.CheckpointRecoveryPoints(func() checkpoint.Offsets { return points }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
