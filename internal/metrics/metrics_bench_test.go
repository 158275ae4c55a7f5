package metrics

import (
	"fmt"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
)

func TestCountingAllocatesNothing(t *testing.T) {
	m, c := newMetrics(10)
	r := request(c, kafka.KeyProduce, time.Millisecond, 2*time.Millisecond, 3*time.Millisecond, 4*time.Millisecond)
	count := func() {
		m.Opened(peer)
		m.Received(peer, 100)
		m.Done(r, 100, 50)
		m.Sent(peer, 50)
		m.Synced(time.Millisecond)
		m.Refused(peer, "frame")
		m.Closed(peer, "client")
	}
	count()
	if n := testing.AllocsPerRun(1000, count); n != 0 {
		t.Errorf("%v allocations", n)
	}
	slower := time.Duration(0)
	if n := testing.AllocsPerRun(1000, func() { // every one of these is kept
		slower += time.Millisecond
		r.Timeline.Sent = r.Arrived.Mono + slower
		m.Done(r, 100, 50)
	}); n != 0 {
		t.Errorf("%v allocations when the request is slow", n)
	}
}

func TestForgedRequestsMakeNoSeries(t *testing.T) {
	m, c := newMetrics(10)
	for key := -40000; key < 40000; key += 7 {
		r := request(c, kafka.APIKey(key), 0, 0, 0, 1)
		r.Version = int16(key)
		m.Done(r, 1, 1)
	}
	page := scrape(t, m, "")
	if n := len(page["kafka_network_requestmetrics_requestspersec"].samples); n > apiKeys*2 {
		t.Errorf("%d series", n)
	}
}

func BenchmarkDone(b *testing.B) {
	m, c := newMetrics(10)
	r := request(c, kafka.KeyProduce, time.Millisecond, 2*time.Millisecond, 3*time.Millisecond, 4*time.Millisecond)
	b.ReportAllocs()
	for b.Loop() {
		m.Done(r, 100, 50)
	}
}

func BenchmarkPage(b *testing.B) {
	for _, n := range []int{0, 10_000} {
		b.Run(fmt.Sprintf("partitions=%d", n), func(b *testing.B) {
			m, c := newMetrics(10_000)
			s := full()
			s.partitions, s.topics = nil, nil
			for i := range n {
				tp := kafka.TopicPartition{Topic: fmt.Sprintf("topic-%d", i/10), Partition: int32(i % 10)}
				s.partitions = append(s.partitions, Partition{TopicPartition: tp, Bytes: 1 << 30, LogStart: 1e6, High: 2e6, LogEnd: 2e6, Leader: 1, Replicas: 3, InSync: 3})
				if i%10 == 0 {
					s.topics = append(s.topics, Topic{Name: tp.Topic, Partitions: 10, Traffic: Traffic{BytesIn: 1e9}})
				}
			}
			m.Watch(s)
			m.took(c, time.Millisecond)
			b.ReportAllocs()
			for b.Loop() {
				b.SetBytes(int64(len(m.render(strimzi))))
			}
		})
	}
}
