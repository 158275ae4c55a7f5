package controller

import (
	"fmt"
	"testing"

	"github.com/milena-io/milena/internal/kafka"
)

func numbered(i int) NewTopic {
	return NewTopic{ID: kafka.TopicID{0: 1, 12: byte(i >> 24), 13: byte(i >> 16), 14: byte(i >> 8), 15: byte(i)},
		Name: fmt.Sprintf("topic.of_some-length_%d", i), Partitions: 3, Replicas: 3}
}

// tenThousand returns a machine with three brokers and 10,000 topics of three partitions.
func tenThousand(b *testing.B) *lab {
	l := newLab(b)
	l.start(1, 2, 3)
	for i := 0; i < 10_000; i += 1000 {
		var cmd CreateTopics
		for j := range 1000 {
			cmd.Topics = append(cmd.Topics, numbered(i+j))
		}
		l.must(cmd)
	}
	return l
}

// BenchmarkCreateTopicAt10k creates, applies and commits one topic on a cluster of 10,000.
func BenchmarkCreateTopicAt10k(b *testing.B) {
	l := tenThousand(b)
	n := 10_000
	b.ReportAllocs()
	for b.Loop() {
		cmd := CreateTopics{Topics: []NewTopic{numbered(n)}}
		if c := l.must(cmd).([]CreatedTopic); !c[0].OK() {
			b.Fatal(c[0])
		}
		n++
	}
}

// BenchmarkCreate10kTopics creates 10,000 topics in commands of 1,000.
func BenchmarkCreate10kTopics(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		tenThousand(b)
	}
}

// BenchmarkFenceAt10k fences a broker that leads a third of 30,000 partitions and is in sync with all.
func BenchmarkFenceAt10k(b *testing.B) {
	l := tenThousand(b)
	b.ReportAllocs()
	for b.Loop() {
		h := Heartbeat{Broker: 1, Epoch: l.epoch(1), WantFence: true}
		if recs, _, err := l.m.Decide(l.now, l.next, h); err != nil || len(recs) < 30_000 {
			b.Fatal(len(recs), err)
		}
	}
}
