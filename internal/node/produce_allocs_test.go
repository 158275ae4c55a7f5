package node

import (
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"runtime"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/world"
)

// served is a node with sockets on a directory, and a client that allocates nothing once it has grown.
type served struct {
	t    testing.TB
	nc   net.Conn
	in   []byte
	next int32
}

func newServed(t testing.TB, settings ...string) *served {
	t.Helper()
	set := map[string]string{
		"node.id": "1", "process.roles": "broker,controller", "listeners": "PLAINTEXT://127.0.0.1:0",
		"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT", "controller.listener.names": "CONTROLLER",
		"log.dirs": t.TempDir(), "offsets.topic.replication.factor": "1",
	}
	for i := 0; i < len(settings); i += 2 {
		set[settings[i]] = settings[i+1]
	}
	ready := make(chan error, 1)
	n := must.Get(Start(Options{
		World: world.NewReal(), FS: disk.NewOS(), Values: config.Values{Scope: config.Broker, Set: set},
		Listen: net.Listen, Logger: slog.New(slog.DiscardHandler), Failed: func(err error) { t.Error(err) },
	}, func(err error) { ready <- err }))
	must.OK(<-ready)
	t.Cleanup(func() {
		done := make(chan error, 1)
		n.Stop(func(err error) { done <- err })
		must.OK(<-done)
	})
	s := &served{t: t, nc: must.Get(net.Dial("tcp", n.Addr("PLAINTEXT").String())), in: make([]byte, 64<<10)}
	t.Cleanup(func() { must.OK(s.nc.Close()) })
	return s
}

// call sends a frame and returns the answer's body; it is good until the next call.
func (s *served) call(frame []byte) []byte {
	s.next++
	binary.BigEndian.PutUint32(frame[8:], uint32(s.next))
	must.Get(s.nc.Write(frame))
	must.Get(io.ReadFull(s.nc, s.in[:4]))
	n := int(binary.BigEndian.Uint32(s.in))
	must.Get(io.ReadFull(s.nc, s.in[:n]))
	return s.in[4:n]
}

// frameOf encodes a request with its length and header.
func frameOf(req kmsg.Request) []byte {
	return kmsg.NewRequestFormatter().AppendRequest(nil, req, 0)
}

func (s *served) create(topic string, partitions int32, configs ...string) {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.TimeoutMillis = 4, 10_000
	rt := kmsg.NewCreateTopicsRequestTopic()
	rt.Topic, rt.NumPartitions, rt.ReplicationFactor = topic, partitions, 1
	for i := 0; i < len(configs); i += 2 {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = configs[i], &configs[i+1]
		rt.Configs = append(rt.Configs, c)
	}
	req.Topics = append(req.Topics, rt)
	resp := kmsg.NewPtrCreateTopicsResponse()
	resp.Version = 4
	must.OK(resp.ReadFrom(s.call(frameOf(req))))
	if code := kafka.ErrorCode(resp.Topics[0].ErrorCode); code != kafka.ErrNone {
		s.t.Fatalf("create %s: %v", topic, code)
	}
}

// produceFrame is a Produce request of one batch to each of the first partitions of a topic.
func produceFrame(topic string, partitions int32, batchBytes int) []byte {
	b := record.NewBuilder(record.Plain())
	value := make([]byte, 1000)
	for n := 0; n == 0 || n < batchBytes/1024; n++ {
		b.Append(1_790_000_000_000, nil, value)
	}
	batch := must.Get(b.Build())
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = 11, -1, 30_000
	rt := kmsg.NewProduceRequestTopic()
	rt.Topic = topic
	for p := range partitions {
		rp := kmsg.NewProduceRequestTopicPartition()
		rp.Partition, rp.Records = p, batch
		rt.Partitions = append(rt.Partitions, rp)
	}
	req.Topics = append(req.Topics, rt)
	return frameOf(req)
}

func (s *served) produce(frame []byte) {
	resp := s.call(frame)
	// Behind the tags of the header: one topic, its name, one partition or more, the first one's number and error.
	at := 1 + 1 + 1 + int(resp[2]-1) + 1 + 4
	if code := kafka.ErrorCode(binary.BigEndian.Uint16(resp[at:])); code != kafka.ErrNone {
		s.t.Fatalf("produce answers %v", code)
	}
}

// A Produce allocates nothing on its way from the socket to the file and back, however its acknowledgement is waited for: what
// it needs was used by one before it. The few that are left are the node's timers, which tick meanwhile.
func TestProduceAllocatesNothing(t *testing.T) {
	if raced {
		t.Skip("the race detector empties pools at random")
	}
	for _, c := range []struct {
		name       string
		partitions int32
		batch      int
		durability string
		validate   string
	}{
		{"from the page cache", 1, 1 << 10, "cache", "full"},
		{"large", 1, 64 << 10, "cache", "full"},
		{"headers checked", 1, 64 << 10, "cache", "header"},
		{"of several partitions", 4, 4 << 10, "cache", "full"},
		{"synced", 1, 1 << 10, "sync", "full"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newServed(t)
			s.create("topic", c.partitions, "milena.durability", c.durability, "milena.validate", c.validate, "message.timestamp.before.max.ms", "9223372036854775807")
			frame := produceFrame("topic", c.partitions, c.batch)
			for range 200 {
				s.produce(frame)
			}
			runtime.GC() // what pools drop they drop now
			for range 50 {
				s.produce(frame)
			}
			if n := testing.AllocsPerRun(300, func() { s.produce(frame) }); n != 0 {
				t.Errorf("%v allocations for each request", n)
			}
		})
	}
}

// BenchmarkProduce is a request after the other on one connection, through sockets and files.
func BenchmarkProduce(b *testing.B) {
	for _, c := range []struct {
		name, durability string
		batch            int
	}{{"cache-1KiB", "cache", 1 << 10}, {"cache-64KiB", "cache", 64 << 10}, {"sync-1KiB", "sync", 1 << 10}} {
		b.Run(c.name, func(b *testing.B) {
			s := newServed(b, "log.retention.bytes", "134217728", "log.segment.bytes", "67108864", "log.retention.check.interval.ms", "200", "log.segment.delete.delay.ms", "0")
			s.create("topic", 1, "milena.durability", c.durability)
			frame := produceFrame("topic", 1, c.batch)
			b.SetBytes(int64(len(frame)))
			b.ReportAllocs()
			for b.Loop() {
				s.produce(frame)
			}
		})
	}
}
