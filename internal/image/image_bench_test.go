package image_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

// build makes an image of topics with partitions on 9 brokers, 3 replicas each, in batches of 1,000 records.
func build(b *testing.B, topics, partitions int) *image.Image {
	img := image.Empty()
	e := img.Edit()
	n := 0
	put := func(r staterecord.Record) {
		if err := e.Apply(r); err != nil {
			b.Fatal(err)
		}
		if n++; n%1000 == 0 {
			img = e.Build(image.Position{Offset: kafka.Offset(n)})
		}
	}
	for t := range topics {
		put(&staterecord.Topic{Name: fmt.Sprintf("topic-%07d", t), TopicID: id(t * 7919 % (1 << 24))})
		for p := range partitions {
			first := kafka.NodeID((t + p) % 9)
			r := partition(id(t*7919%(1<<24)), int32(p), first, first, (first+1)%9, (first+2)%9)
			r.Directories[0][0], r.Directories[1][0], r.Directories[2][0] = byte(first), byte(first+1), byte(first+2)
			put(r)
		}
	}
	return e.Build(image.Position{Offset: kafka.Offset(n)})
}

// BenchmarkMillionPartitions tells what an image of a million partitions costs to make and to keep.
func BenchmarkMillionPartitions(b *testing.B) {
	for _, shape := range []struct{ topics, partitions int }{{10, 100_000}, {10_000, 100}, {250_000, 4}} {
		b.Run(fmt.Sprintf("%dx%d", shape.topics, shape.partitions), func(b *testing.B) {
			for b.Loop() {
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				img := build(b, shape.topics, shape.partitions)
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "B/partition")
				runtime.KeepAlive(img)
			}
			b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N)/1e6, "ns/partition")
		})
	}
}

// BenchmarkApply changes one partition of a million: alone, which copies the path each time, and in batches of 1,000.
func BenchmarkApply(b *testing.B) {
	img := build(b, 10, 100_000)
	topics := []kafka.TopicID{}
	for t := range img.Topics() {
		topics = append(topics, t.ID)
	}
	for _, batch := range []int{1, 1000} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			b.ReportAllocs()
			e, n := img.Edit(), 0
			for b.Loop() {
				c := staterecord.NewPartitionChange(topics[n%10], int32(n*7919%100_000))
				c.Leader = kafka.NodeID(n % 9)
				if err := e.Apply(c); err != nil {
					b.Fatal(err)
				}
				if n++; n%batch == 0 {
					e.Build(image.Position{})
				}
			}
		})
	}
}

// BenchmarkDelta finds one changed partition among a million.
func BenchmarkDelta(b *testing.B) {
	img := build(b, 10_000, 100)
	next := img
	for t := range img.Topics() {
		c := staterecord.NewPartitionChange(t.ID, 50)
		c.Leader = -1
		next = apply(b, next, c)
		break
	}
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for range image.DeltaOf(img, next).Partitions() {
			n++
		}
		if n != 1 {
			b.Fatal(n)
		}
	}
}
