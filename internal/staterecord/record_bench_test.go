package staterecord_test

import (
	"testing"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

func BenchmarkPartition(b *testing.B) {
	p := &staterecord.Partition{
		Replicas: []kafka.NodeID{1, 2, 3}, ISR: []kafka.NodeID{1, 2, 3}, Directories: make([]kafka.DirectoryID, 3),
	}
	value := staterecord.Append(nil, p)
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		buf := make([]byte, 0, 256)
		for b.Loop() {
			buf = staterecord.Append(buf[:0], p)
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := staterecord.Decode(value); err != nil {
				b.Fatal(err)
			}
		}
	})
}
