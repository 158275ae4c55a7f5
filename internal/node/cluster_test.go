package node_test

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
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
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// three is a cluster of three nodes, each broker and controller, on machines of a network that does not exist.
type three struct {
	t        *testing.T
	w        *world.Virtual
	net      *network.Network
	machines [3]*machine
	set      func(id int) map[string]string // keys of one node; may be nil
}

// machine is a node's disk, and the process that runs on it.
type machine struct {
	id    int
	fs    *disk.Mem
	proc  *world.Process
	node  *node.Node
	ready *error
	stops []func()
}

func newThree(t *testing.T, seed uint64) *three { return newThreeWith(t, seed, nil) }

// newThreeWith is newThree with keys for each node.
func newThreeWith(t *testing.T, seed uint64, set func(id int) map[string]string) *three {
	c := &three{t: t, w: world.NewVirtual(seed), set: set}
	c.net = network.New(c.w, seed, network.LAN())
	for i := range c.machines {
		c.machines[i] = &machine{id: i + 1, fs: disk.NewMem()}
		c.start(i + 1)
	}
	for _, m := range c.machines {
		c.await("the cluster forms", time.Minute, func() bool { return m.ready != nil })
		if *m.ready != nil {
			t.Fatalf("node %d: %v", m.id, *m.ready)
		}
	}
	return c
}

func (c *three) at(id int32) *machine { return c.machines[id-1] }

// start begins a process.
func (c *three) start(id int) {
	m := c.machines[id-1]
	host := fmt.Sprintf("h%d", id)
	set := map[string]string{
		"node.id": fmt.Sprint(id), "process.roles": "broker,controller", "log.dirs": "data", "controller.listener.names": "CONTROLLER",
		"listeners":                      fmt.Sprintf("PLAINTEXT://%s:9092,CONTROLLER://%s:9093", host, host),
		"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
		"controller.quorum.voters":       "1@h1:9093,2@h2:9093,3@h3:9093",
	}
	if c.set != nil {
		maps.Copy(set, c.set(id))
	}
	m.proc, m.ready, m.stops = world.NewProcess(c.w), nil, nil
	n, err := node.Start(node.Options{
		World: m.proc, FS: m.fs, Values: config.Values{Scope: config.Broker, Set: set}, Logger: slog.New(slog.DiscardHandler),
		Dialer: c.net.Dialer(host), Failed: func(err error) { c.t.Errorf("node %d gave up: %v", id, err) },
	}, func(err error) { m.ready = &err })
	if err != nil {
		c.t.Fatal(err)
	}
	m.node = n
	for _, l := range [][2]string{{"PLAINTEXT", "9092"}, {"CONTROLLER", "9093"}} {
		m.stops = append(m.stops, c.net.Listen(host+":"+l[1], func(remote netip.AddrPort, receive func([]byte)) network.Served {
			return n.Connect(wire.Peer{Listener: l[0], Protocol: "PLAINTEXT", Addr: remote, Principal: wire.Anonymous}, receive)
		}))
	}
}

// kill ends a process as kill -9 does, and its connections with it.
func (c *three) kill(id int32) {
	m := c.at(id)
	m.proc.Kill()
	for _, stop := range m.stops {
		stop()
	}
	c.net.Kill(fmt.Sprintf("h%d", id))
	m.fs = m.fs.Killed()
}

func (c *three) await(what string, within time.Duration, f func() bool) {
	c.t.Helper()
	if !c.w.RunUntil(within, f) {
		c.t.Fatalf("%s: not within %s", what, within)
	}
}

// ask sends a request to a node on a connection of its own.
func ask[T kmsg.Response](c *three, id int32, req kmsg.Request) (out T) {
	c.t.Helper()
	return askAt[T](c, id, "PLAINTEXT", req)
}

// askAt asks on one of its listeners.
func askAt[T kmsg.Response](c *three, id int32, listener string, req kmsg.Request) (out T) {
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
	if resp.IsFlexible() {
		body = body[1:]
	}
	must.OK(resp.ReadFrom(body))
	return resp.(T)
}

// leaders is who leads each partition, as one node tells.
func (c *three) leaders(at int32, topic string) []int32 {
	req := kmsg.NewPtrMetadataRequest()
	req.Version = 9
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = &topic
	req.Topics = append(req.Topics, t)
	parts := ask[*kmsg.MetadataResponse](c, at, req).Topics[0].Partitions
	out := make([]int32, len(parts))
	for _, p := range parts {
		out[p.Partition] = p.Leader
	}
	return out
}

// controller is who leads the quorum.
func (c *three) controller(at int32) int32 {
	req := kmsg.NewPtrDescribeQuorumRequest()
	t := kmsg.NewDescribeQuorumRequestTopic()
	t.Topic = "__cluster_metadata"
	t.Partitions = append(t.Partitions, kmsg.NewDescribeQuorumRequestTopicPartition())
	req.Topics = append(req.Topics, t)
	out := ask[*kmsg.DescribeQuorumResponse](c, at, req).Topics
	if len(out) == 0 {
		return -1 // nobody
	}
	return out[0].Partitions[0].LeaderID
}

// write produces one record with acks=all and returns the error code and the offset.
func (c *three) write(at int32, topic string, partition int32, value string) (kafka.ErrorCode, int64) {
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
func (c *three) read(at int32, topic string, partition int32, from int64) (kafka.ErrorCode, []byte) {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxBytes, req.MinBytes = 12, 1<<20, 1
	t, p := kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestTopicPartition()
	t.Topic, p.Partition, p.FetchOffset, p.PartitionMaxBytes, p.CurrentLeaderEpoch = topic, partition, from, 1<<20, -1
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	out := ask[*kmsg.FetchResponse](c, at, req).Topics[0].Partitions[0]
	return kafka.ErrorCode(out.ErrorCode), out.RecordBatches
}

func (c *three) create(at int32, topic string, partitions int32) {
	c.t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.TimeoutMillis = 7, 30000
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topic, partitions, 3
	req.Topics = append(req.Topics, t)
	if code := kafka.ErrorCode(ask[*kmsg.CreateTopicsResponse](c, at, req).Topics[0].ErrorCode); code != kafka.ErrNone {
		c.t.Fatal(code)
	}
}

// Three nodes that know each other's addresses become one cluster; whoever controls and leads is killed, the others take over, with
// every record, and the one that comes back is in sync again.
func TestThreeNodesAreACluster(t *testing.T) {
	for seed := range uint64(20) {
		c := newThree(t, seed)
		c.create(int32(seed%3)+1, "t", 6) // whoever controls
		for _, id := range []int32{1, 2, 3} {
			c.await("everybody knows the topic", time.Second, func() bool { return len(c.leaders(id, "t")) == 6 })
		}
		for p, leader := range c.leaders(1, "t") {
			if code, at := c.write(leader, "t", int32(p), "before"); code != kafka.ErrNone || at != 0 {
				t.Fatalf("seed %d: %v at %d", seed, code, at)
			}
		}
		victim := c.controller(1)
		if victim < 1 || victim > 3 {
			t.Fatalf("seed %d: the controller is %d", seed, victim)
		}
		other := victim%3 + 1
		c.kill(victim)
		for p := range int32(6) {
			c.await("another leads, and takes writes", 10*time.Second, func() bool {
				leader := c.leaders(other, "t")[p]
				if leader < 1 || leader == victim {
					return false
				}
				code, at := c.write(leader, "t", p, "after")
				return code == kafka.ErrNone && at == 1
			})
		}
		c.start(int(victim))
		c.await("it comes back", time.Minute, func() bool { return c.at(victim).ready != nil })
		c.await("it is in sync again", 10*time.Second, func() bool {
			req := kmsg.NewPtrMetadataRequest()
			req.Version = 9
			for _, p := range ask[*kmsg.MetadataResponse](c, other, req).Topics[0].Partitions {
				if !slices.Contains(p.ISR, victim) {
					return false
				}
			}
			return true
		})
	}
}

// All three die at once and start again: whoever comes to control gives each old incarnation a fresh session, and is told by its
// successor that it is gone.
func TestAfterAllDiedNobodyWaitsForASession(t *testing.T) {
	for seed := range uint64(5) {
		c := newThree(t, seed)
		c.create(int32(seed%3)+1, "t", 3)
		c.await("everybody knows the topic", time.Second, func() bool { return len(c.leaders(1, "t")) == 3 })
		for id := range int32(3) {
			c.kill(id + 1)
		}
		for id := range 3 {
			c.start(id + 1)
		}
		began := c.w.Now().Mono
		for _, m := range c.machines {
			c.await("it serves again", time.Minute, func() bool { return m.ready != nil })
		}
		if took := c.w.Now().Mono - began; took > 5*time.Second { // of 9, in virtual time
			t.Fatalf("seed %d: it took %v", seed, took)
		}
	}
}
