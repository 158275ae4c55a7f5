package node

import (
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/world"
)

// wired is a whole node on a real directory, and a client on a socket that allocates nothing itself.
type wired struct {
	t   testing.TB
	n   *Node
	nc  net.Conn
	id  kafka.TopicID
	buf []byte
}

func newWired(t testing.TB, settings ...string) *wired {
	t.Helper()
	set := map[string]string{
		"node.id": "1", "process.roles": "broker,controller", "listeners": "PLAINTEXT://127.0.0.1:0",
		"log.dirs":                       filepath.ToSlash(t.TempDir()),
		"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT", "controller.listener.names": "CONTROLLER",
	}
	for i := 0; i < len(settings); i += 2 {
		set[settings[i]] = settings[i+1]
	}
	ready := make(chan error, 1)
	n, err := Start(Options{
		World: world.NewReal(), FS: disk.NewOS(), Listen: net.Listen, Logger: slog.New(slog.DiscardHandler),
		Values: config.Values{Scope: config.Broker, Set: set},
		Failed: func(err error) { t.Errorf("the node gave up: %v", err) },
	}, func(err error) { ready <- err })
	if err != nil {
		t.Fatal(err)
	}
	if err := <-ready; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stopped := make(chan error, 1)
		n.Stop(func(err error) { stopped <- err })
		if err := <-stopped; err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	w := &wired{t: t, n: n, buf: make([]byte, 4<<20)}
	w.nc = w.dial()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.TimeoutMillis = 7, 10_000
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "t", 4, 1
	req.Topics = append(req.Topics, topic)
	made := w.ask(req).(*kmsg.CreateTopicsResponse)
	if code := made.Topics[0].ErrorCode; code != 0 {
		t.Fatal(kafka.ErrorCode(code))
	}
	w.id = kafka.TopicID(made.Topics[0].TopicID)
	return w
}

func (w *wired) dial() net.Conn {
	w.t.Helper()
	nc, err := net.Dial("tcp", w.n.Addr("PLAINTEXT").String())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(10 * time.Minute)); err != nil {
		w.t.Fatal(err)
	}
	return nc
}

func encoded(req kmsg.Request) []byte {
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID("c")).AppendRequest(nil, req, 1)
}

// exchange sends a frame and returns the answer, which is good until the next.
func (w *wired) exchange(frame []byte) []byte {
	if _, err := w.nc.Write(frame); err != nil {
		w.t.Fatal(err)
	}
	if _, err := io.ReadFull(w.nc, w.buf[:4]); err != nil {
		w.t.Fatal(err)
	}
	n := binary.BigEndian.Uint32(w.buf)
	if _, err := io.ReadFull(w.nc, w.buf[:n]); err != nil {
		w.t.Fatal(err)
	}
	return w.buf[:n]
}

func (w *wired) ask(req kmsg.Request) kmsg.Response {
	frame := w.exchange(encoded(req))
	resp := req.ResponseKind()
	resp.SetVersion(req.GetVersion())
	body := frame[4:]
	if resp.IsFlexible() {
		body = body[1:]
	}
	if err := resp.ReadFrom(body); err != nil {
		w.t.Fatal(err)
	}
	return resp
}

// fill writes n records of a size to a partition, each in its batch.
func (w *wired) fill(partition int32, n, size int) {
	for range n {
		r := w.ask(producing("t", partition, -1, plain(string(make([]byte, size))))).(*kmsg.ProduceResponse)
		if code := r.Topics[0].Partitions[0].ErrorCode; code != 0 {
			w.t.Fatal(kafka.ErrorCode(code))
		}
	}
}

// fetches is a Fetch of some partitions from the beginning.
func (w *wired) fetches(version int16, maxBytes int32, partitions int32) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxBytes, req.SessionEpoch, req.MinBytes, req.MaxWaitMillis = version, 8<<20, -1, 1, 60_000
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID = "t", w.id
	for i := range partitions {
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.PartitionMaxBytes, p.CurrentLeaderEpoch = i, maxBytes, -1
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	return req
}

// TestFetchAllocatesNothing: from the socket to the socket, a fetch in the steady state leaves nothing for the collector,
// whichever way its bytes leave.
func TestFetchAllocatesNothing(t *testing.T) {
	w := newWired(t)
	for p := range int32(4) {
		w.fill(p, 20, 10_000)
	}
	for _, c := range []struct {
		name string
		req  *kmsg.FetchRequest
		most int
	}{
		{"by name, copied", w.fetches(12, 15_000, 1), 16_000},
		{"by id, copied, four partitions", w.fetches(18, 15_000, 4), 60_000},
		{"by id, sent from the file", w.fetches(18, 150_000, 1), 160_000},
		{"read_committed", func() *kmsg.FetchRequest {
			r := w.fetches(18, 150_000, 2)
			r.IsolationLevel = 1
			return r
		}(), 310_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			frame := encoded(c.req)
			if n := len(w.exchange(frame)); n < 10_000 || n > c.most {
				t.Fatalf("the answer has %d bytes", n)
			}
			wantAllocations(t, 0, func() { w.exchange(frame) })
		})
	}
}

// TestFetchOfASessionAllocatesNothing: as above, for incremental fetches.
func TestFetchOfASessionAllocatesNothing(t *testing.T) {
	w := newWired(t)
	w.fill(0, 20, 1000)
	req := w.fetches(18, 5000, 1)
	req.SessionEpoch = 0
	first := w.ask(req).(*kmsg.FetchResponse)
	if first.SessionID == 0 {
		t.Fatal("no session")
	}
	req.SessionID, req.SessionEpoch = first.SessionID, 1
	frame := encoded(req)
	const epoch = 4 + 2 + 2 + 4 + 2 + 1 + 1 + 17 // length, header with client id and tags, and what is before the epoch
	wantAllocations(t, 0, func() {
		if n := len(w.exchange(frame)); n < 4000 {
			t.Fatalf("the answer has %d bytes", n)
		}
		binary.BigEndian.PutUint32(frame[epoch:], binary.BigEndian.Uint32(frame[epoch:])+1)
	})
}

// wantAllocations compares what a call allocates, in all goroutines, with a bound. What the node does beside it, a tick now
// and then, disappears in the mean.
func wantAllocations(t *testing.T, most float64, f func()) {
	t.Helper()
	if raced {
		t.Skip("the race detector empties pools at random, so allocations say nothing")
	}
	for range 50 {
		f()
	}
	runtime.GC() // not in the middle: it empties pools
	if n := testing.AllocsPerRun(500, f); n > most {
		t.Errorf("%v allocations, want at most %v", n, most)
	}
}

func BenchmarkFetch(b *testing.B) {
	w := newWired(b)
	for p := range int32(4) {
		w.fill(p, 128, 10_000)
	}
	for _, c := range []struct {
		partitions, maxBytes int32
	}{{1, 11_000}, {4, 11_000}, {1, 65_000}, {1, 260_000}, {4, 260_000}, {1, 1 << 20}} {
		b.Run(fmt.Sprintf("partitions=%d/bytes=%d", c.partitions, c.maxBytes), func(b *testing.B) {
			frame := encoded(w.fetches(18, c.maxBytes, c.partitions))
			b.SetBytes(int64(len(w.exchange(frame))))
			b.ReportAllocs()
			for b.Loop() {
				w.exchange(frame)
			}
		})
	}
}
