package node

import (
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/world"
)

// hurried is the real world with a clock that runs ten times as fast, for what happens after some seconds.
type hurried struct{ *world.Real }

const hurry = 10

func (h hurried) Now() kafka.Instant {
	now := h.Real.Now()
	now.Mono *= hurry
	return now
}

func (h hurried) After(d time.Duration, f func()) world.Timer { return h.Real.After(d/hurry, f) }

// station is a whole node with sockets.
type station struct {
	t    testing.TB
	n    *Node
	logs *lines
}

func newStation(t testing.TB, keys ...string) *station {
	t.Helper()
	s := &station{t: t, logs: &lines{}}
	set := map[string]string{
		"node.id": "1", "process.roles": "broker,controller", "listeners": "PLAINTEXT://127.0.0.1:0", "log.dirs": "data",
		"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT", "controller.listener.names": "CONTROLLER",
		"broker.session.timeout.ms": "600000", "connections.max.idle.ms": "3600000",
	}
	for _, pair := range keys {
		name, value, _ := strings.Cut(pair, "=")
		set[name] = value
	}
	ready := make(chan error, 1)
	n, err := Start(Options{
		World: hurried{world.NewReal()}, FS: disk.NewMem(), Listen: net.Listen, Logger: slog.New(s.logs),
		Values: config.Values{Scope: config.Broker, Set: set},
		Failed: func(err error) { t.Errorf("the node gave up: %v", err) },
	}, func(err error) { ready <- err })
	if err != nil {
		t.Fatal(err)
	}
	if err := <-ready; err != nil {
		t.Fatal(err)
	}
	s.n = n
	t.Cleanup(func() {
		stopped := make(chan error, 1)
		n.Stop(func(err error) { stopped <- err })
		if err := <-stopped; err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return s
}

// caller is a client on a socket.
type caller struct {
	t testing.TB
	net.Conn
}

// dial connects, or returns nil when this system gives the test no more sockets.
func (s *station) dial() *caller {
	s.t.Helper()
	nc, err := net.Dial("tcp", s.n.Addr("PLAINTEXT").String())
	if err != nil {
		return nil
	}
	s.t.Cleanup(func() { _ = nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		s.t.Fatal(err)
	}
	return &caller{s.t, nc}
}

func (c *caller) send(b []byte) {
	c.t.Helper()
	if _, err := c.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

// receive reads one answer.
func (c *caller) receive(req kmsg.Request) kmsg.Response {
	c.t.Helper()
	var size [4]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		c.t.Fatal(err)
	}
	frame := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(c, frame); err != nil {
		c.t.Fatal(err)
	}
	resp := req.ResponseKind()
	resp.SetVersion(req.GetVersion())
	body := frame[4:]
	if resp.IsFlexible() && resp.Key() != int16(kmsg.ApiVersions) {
		body = body[1:]
	}
	if err := resp.ReadFrom(body); err != nil {
		c.t.Fatal(err)
	}
	return resp
}

func (c *caller) ask(req kmsg.Request) kmsg.Response {
	c.t.Helper()
	c.send(sampleFrame(req))
	return c.receive(req)
}

// patienceMs is for what a loaded machine may take its time over.
const patienceMs = 300_000

// goesOn writes a record to a topic and reads from it.
func (c *caller) goesOn(topic string) {
	c.t.Helper()
	write := producing(topic, 0, -1, plain("x"))
	write.TimeoutMillis = patienceMs
	w := c.ask(write).(*kmsg.ProduceResponse).Topics[0].Partitions[0]
	if w.ErrorCode != 0 {
		c.t.Fatalf("a write says %+v", w)
	}
	read := fetching(topic, 0, w.BaseOffset)
	read.MaxWaitMillis = patienceMs
	if got := c.ask(read).(*kmsg.FetchResponse).Topics[0].Partitions[0]; got.ErrorCode != 0 || len(got.RecordBatches) == 0 {
		c.t.Fatalf("a read says %+v", got)
	}
}

func (s *station) create(topics ...string) *caller {
	s.t.Helper()
	c := s.dial()
	for _, topic := range topics {
		req := kmsg.NewPtrCreateTopicsRequest()
		req.Version, req.TimeoutMillis = 7, patienceMs
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = topic, 1, 1
		req.Topics = append(req.Topics, t)
		if got := c.ask(req).(*kmsg.CreateTopicsResponse).Topics[0]; got.ErrorCode != 0 {
			s.t.Fatalf("%s: %+v", topic, got)
		}
	}
	return c
}

// memory is what the process holds after collections, of the heap and of stacks. Pools let go with the second one.
func memory() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// crowd connects n clients that send one request each and then nothing.
func (s *station) crowd(n int) bool {
	s.t.Helper()
	all := make([]*caller, n)
	for i := range all {
		if all[i] = s.dial(); all[i] == nil {
			return false
		}
		all[i].send(sampleFrame(kmsg.NewPtrApiVersionsRequest()))
	}
	for _, c := range all {
		c.receive(kmsg.NewPtrApiVersionsRequest())
	}
	return true
}

// rest waits until memory is below a bound, since idle connections give their buffers back after some seconds.
func (s *station) rest(bound int64) (held int64) {
	for end := time.Now().Add(30 * time.Second); ; {
		if held = memory(); held < bound || time.Now().After(end) {
			return held
		}
	}
}

const idleConnections = 5000

// TestBadInputIdleConnections: five thousand that say nothing cost little each, and nobody else anything.
func TestBadInputIdleConnections(t *testing.T) {
	s := newStation(t)
	good := s.create("a")
	good.goesOn("a")
	before := memory()
	if !s.crowd(idleConnections) {
		t.Skipf("this system does not let a test have %d connections", idleConnections)
	}
	good.goesOn("a")
	const most = 16 << 10 // both ends of each, since they are in one process
	if held := s.rest(before + idleConnections*most); held-before > idleConnections*most {
		t.Fatalf("an idle connection takes %d bytes", (held-before)/idleConnections)
	}
	if n := s.n.Connections(); n != idleConnections+1 {
		t.Fatalf("%d connections", n)
	}
	good.goesOn("a")
}

// BenchmarkIdleConnection tells the memory of a connection that has been idle for a while, both of its ends.
func BenchmarkIdleConnection(b *testing.B) {
	for b.Loop() {
		s := newStation(b)
		before := memory()
		if !s.crowd(1000) {
			b.Skip("this system does not let a benchmark have 1000 connections")
		}
		fresh := memory() - before
		for parked := s.n.o.World.Now().Mono + 8*time.Second; s.n.o.World.Now().Mono < parked; {
			runtime.Gosched()
		}
		idle := memory() - before
		b.ReportMetric(float64(fresh)/1000, "B/fresh-conn")
		b.ReportMetric(float64(idle)/1000, "B/idle-conn")
	}
}

// TestBadInputSlowSenders: two hundred send a byte at a time, two hundred more claim a hundred megabytes and send little of it;
// everybody is served in the end, nobody waits for them, and memory follows what came.
func TestBadInputSlowSenders(t *testing.T) {
	s := newStation(t)
	good := s.create("a", "slow")
	before := memory()
	req := producing("slow", 0, -1, plain("x"))
	req.TimeoutMillis = patienceMs
	frame := sampleFrame(req)
	var slow []*caller
	for range 200 {
		slow = append(slow, s.dial())
		liar := s.dial()
		liar.send([]byte{0x06, 0x3f, 0xff, 0xff, 0, 0, 0, 9})
		liar.send(make([]byte, 1000))
	}
	for i := range frame {
		for _, c := range slow {
			c.send(frame[i : i+1])
		}
		if i%10 == 0 {
			good.goesOn("a")
		}
	}
	if used := s.n.edge.budget.Used(); used > 400*64<<10 {
		t.Fatalf("%d bytes are charged for requests that have not come", used)
	}
	if held := memory() - before; held > 64<<20 {
		t.Fatalf("%d MB are held", held>>20)
	}
	seen := map[int64]bool{}
	for _, c := range slow {
		p := c.receive(req).(*kmsg.ProduceResponse).Topics[0].Partitions[0]
		if p.ErrorCode != 0 || seen[p.BaseOffset] {
			t.Fatalf("%+v", p)
		}
		seen[p.BaseOffset] = true
	}
}

// TestBadInputSlowReaders: two hundred ask for megabytes, again and again, and read nothing of it. They hold little and keep
// nobody waiting.
func TestBadInputSlowReaders(t *testing.T) {
	s := newStation(t, "connections.max.idle.ms=100000")
	good := s.create("a", "big")
	for range 16 {
		w := producing("big", 0, -1, plain(string(make([]byte, 1_000_000))))
		w.TimeoutMillis = patienceMs
		p := good.ask(w).(*kmsg.ProduceResponse)
		if got := p.Topics[0].Partitions[0]; got.ErrorCode != 0 {
			t.Fatalf("%+v", got)
		}
	}
	before := memory()
	req := fetching("big", 0, 0)
	req.MaxBytes, req.Topics[0].Partitions[0].PartitionMaxBytes = 64<<20, 64<<20
	frame := sampleFrame(req)
	for range 200 {
		c := s.dial()
		for range 5 {
			c.send(frame)
		}
	}
	for range 20 {
		good.goesOn("a")
	}
	if held := memory() - before; held > 200*(128<<10)+32<<20 {
		t.Fatalf("%d MB are held for readers that do not read", held>>20)
	}
	if used := s.n.edge.budget.Used(); used > 200*64<<10 {
		t.Fatalf("%d bytes are charged", used)
	}
	reader := s.dial()
	reader.send(frame)
	if got := reader.receive(req).(*kmsg.FetchResponse).Topics[0].Partitions[0]; len(got.RecordBatches) < 1_000_000 {
		t.Fatalf("one among them that does read gets %d bytes", len(got.RecordBatches))
	}
	// Who goes on reading nothing is given up, and the log says whom and why.
	for end := time.Now().Add(time.Minute); s.n.Connections() > 2; {
		if time.Now().After(end) {
			t.Fatalf("%d connections are left", s.n.Connections())
		}
		good.goesOn("a")
	}
	if len(s.logs.with("127.0.0.1:", "of its answers in")) == 0 {
		t.Fatalf("log %q", s.logs.all)
	}
}

// TestConnectionsIdleForEver: with a negative connections.max.idle.ms nobody is closed for being idle, as in Apache Kafka.
func TestConnectionsIdleForEver(t *testing.T) {
	s := newStation(t, "connections.max.idle.ms=-1")
	c := s.create("a")
	looked := make(chan struct{})
	s.n.o.World.After(5*time.Second, func() { close(looked) }) // the reaper comes by every second
	<-looked
	c.goesOn("a")
}
