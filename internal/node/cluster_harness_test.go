package node_test

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/node"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/sim/network"
	"github.com/milena-io/milena/internal/staterecord"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// cluster is whole nodes on machines of a network that does not exist.
type cluster struct {
	t        testing.TB
	w        *world.Virtual
	net      *network.Network
	machines []*machine
}

// three is the cluster of newThree.
type three = cluster

// machine is a node's disk, and the process that runs on it. Its host is h and the id.
type machine struct {
	id     int32
	set    map[string]string
	fs     *disk.Mem
	faults *disk.Faulty  // around the disk of the process that runs
	slow   time.Duration // how long each of its syncs takes that begins now
	proc   *world.Process
	node   *node.Node
	ready  *error
	gaveUp error // why the node ended itself; an error of the test unless ends is set
	ends   bool
	log    strings.Builder
	stops  []func()

	features []staterecord.FeatureRange // of another version; nil for this one's
	ahead    time.Duration              // of its wall clock
}

// skewed is a process whose machine's wall clock goes before or after the others'.
type skewed struct {
	*world.Process
	ahead time.Duration
}

// Now is the present as that machine tells it.
func (s skewed) Now() kafka.Instant {
	now := s.Process.Now()
	now.WallMs += s.ahead.Milliseconds()
	return now
}

// device is a machine's disk as its process has it.
type device struct {
	*disk.Faulty
	m *machine
}

// Latency is how long a sync takes.
func (d device) Latency() time.Duration { return d.m.slow }

func newCluster(t testing.TB, seed uint64) *cluster {
	c := &cluster{t: t, w: world.NewVirtual(seed)}
	c.net = network.New(c.w, seed, network.LAN())
	return c
}

// newThree is three nodes, each broker and controller.
func newThree(t *testing.T, seed uint64) *three { return newThreeWith(t, seed, nil) }

// newThreeWith is newThree with keys for each node.
func newThreeWith(t *testing.T, seed uint64, set func(id int) map[string]string) *three {
	c := newCluster(t, seed)
	for id := range 3 {
		m := c.add(int32(id+1), "broker,controller", "controller.quorum.voters", "1@h1:9093,2@h2:9093,3@h3:9093")
		if set != nil {
			maps.Copy(m.set, set(id+1))
		}
	}
	c.startAll()
	return c
}

// add gives the cluster a machine with an empty disk. Nothing runs on it yet.
func (c *cluster) add(id int32, roles string, settings ...string) *machine {
	var listeners []string
	if strings.Contains(roles, "broker") {
		listeners = append(listeners, fmt.Sprintf("PLAINTEXT://h%d:9092", id))
	}
	if strings.Contains(roles, "controller") {
		listeners = append(listeners, fmt.Sprintf("CONTROLLER://h%d:9093", id))
	}
	m := &machine{id: id, fs: disk.NewMem(), set: map[string]string{
		"node.id": fmt.Sprint(id), "process.roles": roles, "log.dirs": "data", "controller.listener.names": "CONTROLLER",
		"listeners": strings.Join(listeners, ","), "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
	}}
	for i := 0; i < len(settings); i += 2 {
		m.set[settings[i]] = settings[i+1]
	}
	c.machines = append(c.machines, m)
	return m
}

// startAll starts every machine, and waits for the last of them.
func (c *cluster) startAll() {
	c.t.Helper()
	for _, m := range c.machines {
		c.start(int(m.id))
	}
	for _, m := range c.machines {
		c.serves(m.id)
	}
}

// serves waits until a node is ready.
func (c *cluster) serves(id int32) {
	c.t.Helper()
	m := c.at(id)
	c.await(fmt.Sprintf("node %d is ready", id), time.Minute, func() bool { return m.ready != nil })
	if *m.ready != nil {
		c.t.Fatalf("node %d: %v", id, *m.ready)
	}
}

func (c *cluster) at(id int32) *machine {
	for _, m := range c.machines {
		if m.id == id {
			return m
		}
	}
	c.t.Fatalf("there is no machine %d", id)
	return nil
}

// start begins a process.
func (c *cluster) start(id int) {
	m := c.at(int32(id))
	host := fmt.Sprintf("h%d", id)
	m.proc, m.ready, m.stops, m.gaveUp = world.NewProcess(c.w), nil, nil, nil
	m.faults = disk.NewFaulty(m.fs)
	n, err := node.Start(node.Options{
		World: skewed{m.proc, m.ahead}, Features: m.features, FS: device{m.faults, m}, Values: config.Values{Scope: config.Broker, Set: m.set}, Logger: slog.New(slog.NewTextHandler(&m.log, nil)),
		Dialer: c.net.Dialer(host), Failed: func(err error) {
			if m.gaveUp = err; !m.ends {
				c.t.Errorf("node %d gave up: %v", id, err)
			}
		},
	}, func(err error) { m.ready = &err })
	if err != nil {
		c.t.Fatal(err)
	}
	m.node = n
	for _, l := range [][2]string{{"PLAINTEXT", "9092"}, {"CONTROLLER", "9093"}} {
		if strings.Contains(m.set["listeners"], l[0]) {
			m.stops = append(m.stops, c.net.Listen(host+":"+l[1], func(remote netip.AddrPort, receive func([]byte)) network.Served {
				return n.Connect(wire.Peer{Listener: l[0], Protocol: "PLAINTEXT", Addr: remote, Principal: wire.Anonymous}, receive)
			}))
		}
	}
}

// kill ends a process as kill -9 does, and its connections with it.
func (c *cluster) kill(id int32) {
	m := c.at(id)
	m.proc.Kill()
	for _, stop := range m.stops {
		stop()
	}
	c.net.Kill(fmt.Sprintf("h%d", id))
	m.fs = m.fs.Killed()
}

func (c *cluster) await(what string, within time.Duration, f func() bool) {
	c.t.Helper()
	if !c.w.RunUntil(within, f) {
		c.t.Fatalf("%s: not within %s", what, within)
	}
}

// ask sends a request to a node's clients' listener on a connection of its own, to its controllers' one where it has no other.
func ask[T kmsg.Response](c *cluster, id int32, req kmsg.Request) (out T) {
	c.t.Helper()
	if !strings.Contains(c.at(id).set["process.roles"], "broker") {
		return askAt[T](c, id, "CONTROLLER", req)
	}
	return askAt[T](c, id, "PLAINTEXT", req)
}

func askAt[T kmsg.Response](c *cluster, id int32, listener string, req kmsg.Request) (out T) {
	c.t.Helper()
	var in []byte
	done := false
	l := c.at(id).node.Connect(wire.Peer{Listener: listener, Protocol: "PLAINTEXT", Addr: netip.MustParseAddrPort("10.0.0.1:1"), Principal: wire.Anonymous}, func(b []byte) {
		in = append(in, b...)
		done = len(in) >= 4 && len(in) >= 4+int(binary.BigEndian.Uint32(in))
	})
	l.Send(kmsg.NewRequestFormatter(kmsg.FormatterClientID("test")).AppendRequest(nil, req, 7))
	c.await(kmsg.NameForKey(req.Key()), time.Minute, func() bool { return done })
	resp := req.ResponseKind()
	resp.SetVersion(req.GetVersion())
	body := in[8:]
	if resp.IsFlexible() && resp.Key() != int16(kafka.KeyApiVersions) {
		body = body[1:]
	}
	must.OK(resp.ReadFrom(body))
	return resp.(T)
}

// leaders is who leads each partition, as one node tells.
func (c *cluster) leaders(at int32, topic string) []int32 {
	parts := c.partitions(at, topic)
	out := make([]int32, len(parts))
	for _, p := range parts {
		out[p.Partition] = p.Leader
	}
	return out
}

// partitions are those of a topic, as one node tells.
func (c *cluster) partitions(at int32, topic string) []kmsg.MetadataResponseTopicPartition {
	req := kmsg.NewPtrMetadataRequest()
	req.Version = 9
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = &topic
	req.Topics = append(req.Topics, t)
	return ask[*kmsg.MetadataResponse](c, at, req).Topics[0].Partitions
}

// quorum is what a node says of the metadata quorum; a broker asks the leader.
func (c *cluster) quorum(at int32) (none kmsg.DescribeQuorumResponseTopicPartition) {
	req := kmsg.NewPtrDescribeQuorumRequest()
	req.Version = 2
	t := kmsg.NewDescribeQuorumRequestTopic()
	t.Topic = "__cluster_metadata"
	t.Partitions = append(t.Partitions, kmsg.NewDescribeQuorumRequestTopicPartition())
	req.Topics = append(req.Topics, t)
	none.LeaderID = -1 // nobody
	out := ask[*kmsg.DescribeQuorumResponse](c, at, req).Topics
	if len(out) == 0 {
		return none
	}
	return out[0].Partitions[0]
}

// controller is who leads the quorum.
func (c *cluster) controller(at int32) int32 { return c.quorum(at).LeaderID }

// write produces one record with acks=all and returns the error code and the offset.
func (c *cluster) write(at int32, topic string, partition int32, value string) (kafka.ErrorCode, int64) {
	b := record.NewBuilder(record.Plain())
	b.Append(c.w.Now().WallMs, nil, []byte(value))
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = 9, -1, 30000
	t, p := kmsg.NewProduceRequestTopic(), kmsg.NewProduceRequestTopicPartition()
	t.Topic, p.Partition, p.Records = topic, partition, must.Get(b.Build())
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	out := ask[*kmsg.ProduceResponse](c, at, req).Topics[0].Partitions[0]
	return kafka.ErrorCode(out.ErrorCode), out.BaseOffset
}

// read fetches from an offset on, as a consumer that any replica may serve, and returns the records' bytes.
func (c *cluster) read(at int32, topic string, partition int32, from int64) (kafka.ErrorCode, []byte) {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxBytes, req.MinBytes = 12, 1<<20, 1
	t, p := kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestTopicPartition()
	t.Topic, p.Partition, p.FetchOffset, p.PartitionMaxBytes, p.CurrentLeaderEpoch = topic, partition, from, 1<<20, -1
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	out := ask[*kmsg.FetchResponse](c, at, req).Topics[0].Partitions[0]
	return kafka.ErrorCode(out.ErrorCode), out.RecordBatches
}

func (c *cluster) create(at int32, topic string, partitions int32) {
	c.t.Helper()
	if code := c.tryCreate(at, topic, partitions, 3); code != kafka.ErrNone {
		c.t.Fatal(code)
	}
}

// tryCreate creates a topic, or says why not.
func (c *cluster) tryCreate(at int32, topic string, partitions int32, replicas int16) kafka.ErrorCode {
	c.t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.TimeoutMillis = 7, 30000
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topic, partitions, replicas
	req.Topics = append(req.Topics, t)
	return kafka.ErrorCode(ask[*kmsg.CreateTopicsResponse](c, at, req).Topics[0].ErrorCode)
}
