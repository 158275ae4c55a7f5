package node

import (
	"encoding/binary"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/listen"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// rig is a whole node in a virtual world, and clients that talk to it in frames.
type rig struct {
	t      *testing.T
	w      *world.Virtual
	proc   *world.Process
	fs     *disk.Mem
	volume *disk.Bounded // what the node sees of fs, where a test bounds it
	set    map[string]string
	n      *Node
	main   *link
	logs   *lines
	checks int // of health so far

	clusterID string // that the node is told of
	hall      *hall  // the way to its controllers, when it is only a broker

	files  *openFiles   // what the node has open, and may
	faulty *disk.Faulty // over fs, when the test asked for faults
	sick   []disk.Fault // that the next start finds
	gaveUp error        // why the node did; where the test did not ask for faults that is an error
}

// link is one client connection. Answers come in order; a closed connection is an answer of nil bytes.
type link struct {
	r      *rig
	l      *listen.Link
	in     []byte
	frames [][]byte
	next   int32
}

func newRig(t *testing.T, settings ...string) *rig {
	t.Helper()
	r := unbooted(t, settings...)
	r.boot()
	return r
}

// unbooted is a rig whose node was not started yet.
func unbooted(t *testing.T, settings ...string) *rig {
	t.Helper()
	r := &rig{t: t, w: world.NewVirtual(11), fs: disk.NewMem(), logs: &lines{}, set: map[string]string{
		"node.id": "1", "process.roles": "broker,controller", "listeners": "PLAINTEXT://one:9092,INTERNAL://two:9093",
		"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
		"controller.listener.names":      "CONTROLLER", "log.dirs": "data", "offsets.topic.replication.factor": "1",
		"offsets.topic.num.partitions": "2", "group.initial.rebalance.delay.ms": "0",
	}}
	for i := 0; i < len(settings); i += 2 {
		r.set[settings[i]] = settings[i+1]
	}
	return r
}

func (r *rig) boot() {
	r.t.Helper()
	r.proc = world.NewProcess(r.w)
	var ready *error
	n, err := Start(r.options(), func(err error) { ready = &err })
	if err != nil {
		r.t.Fatal(err)
	}
	if !r.w.RunUntil(time.Minute, func() bool { return ready != nil }) || *ready != nil {
		var why error
		if ready != nil {
			why = *ready
		}
		r.t.Fatalf("the node doesn't get ready: %v", why)
	}
	r.n = n
	r.main = r.connect("PLAINTEXT")
}

// enlisted waits until the controller of the node is registered, after which nothing is written that nobody asks for.
func (r *rig) enlisted() {
	r.t.Helper()
	if !r.w.RunUntil(time.Minute, func() bool { return r.n.control.enlist.has(r.n.feed.Image()) }) {
		r.t.Fatal("the controller is not registered")
	}
}

func (r *rig) options() Options {
	o := Options{
		World: r.proc, FS: r.fs, Values: config.Values{Scope: config.Broker, Set: r.set}, Logger: slog.New(r.logs),
		Failed: func(err error) { r.t.Errorf("the node gave up: %v", err) },
	}
	o.ClusterID = r.clusterID
	if r.hall != nil {
		o.Dialer = r.hall
	}
	if r.files != nil {
		r.files.FS = r.fs
		o.FS, o.Descriptors = r.files, r.files.limit
	}
	if r.volume != nil {
		r.volume.FS = r.fs
		o.FS = r.volume
	}
	if r.faulty != nil {
		r.gaveUp = nil
		r.faulty = disk.NewFaulty(r.fs)
		for _, f := range r.sick {
			r.faulty.Add(f)
		}
		o.FS, o.Failed = r.faulty, func(err error) { r.gaveUp = err }
	}
	return o
}

// kill ends the node as kill -9 does and starts it again.
func (r *rig) kill() {
	r.t.Helper()
	r.proc.Kill()
	r.fs = r.fs.Killed()
	r.boot()
}

// restart stops the node cleanly and starts it again.
func (r *rig) restart() {
	r.t.Helper()
	r.halt()
	r.kill()
}

// halt stops the node cleanly.
func (r *rig) halt() {
	r.t.Helper()
	stopped := false
	r.n.Stop(func(err error) {
		if err != nil {
			r.t.Errorf("stop: %v", err)
		}
		stopped = true
	})
	if !r.w.RunUntil(time.Minute, func() bool { return stopped }) {
		r.t.Fatal("the node doesn't stop")
	}
}

var client = must.Get(netip.ParseAddrPort("10.1.2.3:5000"))

func (r *rig) connect(listener string) *link {
	c := &link{r: r}
	c.l = r.n.Connect(wire.Peer{Listener: listener, Protocol: "PLAINTEXT", Addr: client, Principal: wire.Anonymous}, c.received)
	return c
}

func (c *link) received(b []byte) {
	c.in = append(c.in, b...)
	for len(c.in) >= 4 && len(c.in) >= 4+int(binary.BigEndian.Uint32(c.in)) {
		n := int(binary.BigEndian.Uint32(c.in))
		c.frames = append(c.frames, c.in[4:4+n])
		c.in = c.in[4+n:]
	}
}

// send sends a request and leaves the answer to receive.
func (c *link) send(req kmsg.Request) {
	c.next++
	c.l.Send(kmsg.NewRequestFormatter(kmsg.FormatterClientID("test")).AppendRequest(nil, req, c.next))
}

// receive waits for the next frame; nil when the connection was closed instead.
func (c *link) receive(within time.Duration) []byte {
	c.r.t.Helper()
	c.r.w.RunUntil(within, func() bool { return len(c.frames) > 0 || c.l.Ended() })
	if len(c.frames) == 0 {
		return nil
	}
	f := c.frames[0]
	c.frames = c.frames[1:]
	return f
}

// parse reads an answer into the response of its request.
func parse(t *testing.T, frame []byte, req kmsg.Request) kmsg.Response {
	t.Helper()
	resp := req.ResponseKind()
	resp.SetVersion(req.GetVersion())
	body := frame[4:]
	if resp.IsFlexible() && resp.Key() != int16(kmsg.ApiVersions) {
		body = body[1:]
	}
	if err := resp.ReadFrom(body); err != nil {
		t.Fatalf("answer to %T v%d: %v", req, req.GetVersion(), err)
	}
	return resp
}

// ask sends a request on the main connection and returns its answer.
func ask[R kmsg.Response](r *rig, req kmsg.Request) R {
	r.t.Helper()
	return askOn[R](r.main, req)
}

func askOn[R kmsg.Response](c *link, req kmsg.Request) R {
	c.r.t.Helper()
	c.send(req)
	f := c.receive(time.Minute)
	if f == nil {
		c.r.t.Fatalf("no answer to %T v%d", req, req.GetVersion())
	}
	out, ok := parse(c.r.t, f, req).(R)
	if !ok {
		c.r.t.Fatalf("%T is no answer to %T", out, req)
	}
	return out
}

func (r *rig) create(topic string, partitions int32, configs ...string) kafka.TopicID {
	r.t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.TimeoutMillis = 7, 1000
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topic, partitions, 1
	for i := 0; i < len(configs); i += 2 {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = configs[i], &configs[i+1]
		t.Configs = append(t.Configs, c)
	}
	req.Topics = append(req.Topics, t)
	got := ask[*kmsg.CreateTopicsResponse](r, req).Topics[0]
	wantCode(r.t, got.ErrorCode, kafka.ErrNone)
	return kafka.TopicID(got.TopicID)
}

func wantCode(t *testing.T, got int16, want kafka.ErrorCode) {
	t.Helper()
	if kafka.ErrorCode(got) != want {
		t.Fatalf("error %v, want %v", kafka.ErrorCode(got), want)
	}
}

// producing is one batch for one partition.
func producing(topic string, partition int32, acks int16, batch []byte) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = 11, acks, 1000
	t := kmsg.NewProduceRequestTopic()
	t.Topic = topic
	p := kmsg.NewProduceRequestTopicPartition()
	p.Partition, p.Records = partition, batch
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

func plain(values ...string) []byte {
	o := record.Plain()
	return built(o, values...)
}

func idempotent(id kafka.ProducerID, epoch kafka.ProducerEpoch, sequence int32, values ...string) []byte {
	o := record.Plain()
	o.ProducerID, o.ProducerEpoch, o.BaseSequence = id, epoch, sequence
	return built(o, values...)
}

func built(o record.Options, values ...string) []byte {
	b := record.NewBuilder(o)
	for _, v := range values {
		b.Append(1_790_003_600_000, nil, []byte(v))
	}
	return must.Get(b.Build())
}

// write produces with acks=all and returns the answer for the partition.
func (r *rig) write(topic string, partition int32, batch []byte) kmsg.ProduceResponseTopicPartition {
	r.t.Helper()
	return ask[*kmsg.ProduceResponse](r, producing(topic, partition, -1, batch)).Topics[0].Partitions[0]
}

// fetching asks for one partition without a session.
func fetching(topic string, partition int32, offset int64) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxBytes, req.SessionEpoch, req.MinBytes = 12, 1<<20, -1, 1
	t := kmsg.NewFetchRequestTopic()
	t.Topic = topic
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes, p.CurrentLeaderEpoch = partition, offset, 1<<20, -1
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

func (r *rig) read(topic string, partition int32, offset int64) kmsg.FetchResponseTopicPartition {
	r.t.Helper()
	return ask[*kmsg.FetchResponse](r, fetching(topic, partition, offset)).Topics[0].Partitions[0]
}

// values takes the record values out of fetched batches.
func values(t *testing.T, b []byte) []string {
	t.Helper()
	var out []string
	for len(b) > 0 {
		batch, rest, err := record.Next(b)
		if err != nil {
			t.Fatal(err)
		}
		if err := batch.Each(record.Limits{}, func(r *record.Record) error {
			out = append(out, string(r.Value))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		b = rest
	}
	return out
}
