package controller

import (
	"runtime"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

// spread returns a machine with brokers and partitions of three replicas spread over them, in topics of so many.
func spread(b *testing.B, brokers, topics, partitions int) *lab {
	l := newLab(b)
	for id := range brokers {
		l.start(kafka.NodeID(id + 1))
	}
	for i := range topics {
		n := numbered(i)
		n.Partitions = int32(partitions)
		if c := l.must(CreateTopics{Topics: []NewTopic{n}}).([]CreatedTopic); !c[0].OK() {
			b.Fatal(c[0])
		}
	}
	return l
}

// try decides a command, applies what it says and takes it back.
func (l *lab) try(b *testing.B, cmd any) (records int) {
	recs, _, err := l.m.Decide(l.now, l.next, cmd)
	if err != nil {
		b.Fatal(err)
	}
	for i, r := range recs {
		l.m.Apply(l.next+kafka.Offset(i), r)
	}
	l.m.history.newest()
	b.StopTimer()
	l.m.Revert(l.next)
	l.m.sessions.all[1].dead = false
	b.StartTimer()
	return len(recs)
}

// BenchmarkBrokerDies fences a broker that leads 1,000 of 10,000 partitions and is in sync with 3,000.
func BenchmarkBrokerDies(b *testing.B) {
	l := spread(b, 10, 1, 10_000)
	dead, n := BrokerDead{Broker: 1, Epoch: l.epoch(1)}, 0
	b.ReportAllocs()
	for b.Loop() {
		n = l.try(b, dead)
	}
	b.ReportMetric(float64(n), "records")
}

// BenchmarkCreate10kPartitions creates a topic of 10,000 partitions in one request.
func BenchmarkCreate10kPartitions(b *testing.B) {
	l := spread(b, 3, 0, 0)
	t := numbered(1)
	t.Partitions = 10_000
	b.ReportAllocs()
	for b.Loop() {
		if n := l.try(b, CreateTopics{Topics: []NewTopic{t}}); n != 10_001 {
			b.Fatal(n)
		}
	}
}

// BenchmarkMillion tells what a million partitions cost a controller: to apply, to keep, to snapshot and to read back, and to
// fence a broker that leads a tenth of them.
func BenchmarkMillion(b *testing.B) {
	for b.Loop() {
		before := heap()
		begun := time.Now()
		l := spread(b, 10, 50, 20_000)
		b.ReportMetric(1e6/time.Since(begun).Seconds(), "created/s")
		b.ReportMetric(float64(heap()-before)/1e6, "B/partition")

		begun = time.Now()
		bytes, buf := 0, []byte(nil)
		var kept []staterecord.Record
		for r := range l.m.Snapshot() {
			buf = staterecord.Append(buf[:0], r)
			bytes += len(buf)
			kept = append(kept, r)
		}
		b.ReportMetric(time.Since(begun).Seconds()*1e3, "snapshot-ms")
		b.ReportMetric(float64(bytes)/(1<<20), "snapshot-MiB")

		begun = time.Now()
		New(options()).Load(l.next, func(yield func(staterecord.Record) bool) {
			for _, r := range kept {
				if !yield(r) {
					return
				}
			}
		})()
		b.ReportMetric(time.Since(begun).Seconds()*1e3, "restore-ms")

		begun = time.Now()
		batches, records := 0, 0
		for cmd := any(BrokerDead{Broker: 1, Epoch: l.epoch(1)}); !l.broker(1).Fenced; cmd = (ExpireSessions{}) {
			l.must(cmd)
			batches, records = batches+1, records+len(l.last)
		}
		b.ReportMetric(time.Since(begun).Seconds()*1e3, "failover-ms")
		b.ReportMetric(float64(batches), "failover-batches")
		b.ReportMetric(float64(records), "failover-records")
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
