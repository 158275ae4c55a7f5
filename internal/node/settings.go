package node

import (
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/milena-io/milena/internal/broker/cluster"
	"github.com/milena-io/milena/internal/broker/fetch"
	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/listen"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/machine/group"
	"github.com/milena-io/milena/internal/quorum"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/staterecord"
	"github.com/milena-io/milena/internal/storage"
)

const (
	topicResource  = staterecord.ResourceTopic
	brokerResource = staterecord.ResourceBroker
)

// settings is what the keys mean to the parts of a node: the static ones of its configuration under the dynamic ones of
// the image.
type settings struct {
	n      *Node
	static config.Values
	node   config.Node // once they are checked
	rates  rates
}

// check refuses what cannot work before anything is touched.
func (s *settings) check() error {
	if err := storage.Check(s.static); err != nil {
		return err
	}
	var err error
	if s.node, err = config.ParseNode(s.static); err != nil {
		return err
	}
	return nil
}

// founding is who gives a new cluster its id.
func (s *settings) founding() storage.Founding {
	if s.node.Founds() {
		return storage.Founds
	}
	return storage.Joins
}

// controllerListener is where controllers are asked: the first of controller.listener.names, which a node alone need not have.
func (s *settings) controllerListener() string {
	if len(s.node.ControllerNames) == 0 {
		return "CONTROLLER"
	}
	return s.node.ControllerNames[0]
}

// seats are the voters of the configuration, and the servers where a quorum may be found, whose ids nobody knows.
func (s *settings) seats() (out []quorum.Voter) {
	seat := func(id kafka.NodeID, host string, port int) {
		out = append(out, quorum.Voter{ID: id, Endpoints: []record.Endpoint{{Name: s.controllerListener(), Host: host, Port: uint16(port)}}})
	}
	for _, v := range s.node.Voters {
		seat(v.ID, v.Host, v.Port)
	}
	for _, at := range s.node.Others() {
		seat(kafka.NoNode, at.Host, at.Port)
	}
	return out
}

// NodeID returns node.id.
func (s *settings) NodeID() kafka.NodeID { return kafka.NodeID(s.static.Int("node.id")) }

func (s *settings) rack() *string {
	if v, ok := s.static.Get("broker.rack"); ok {
		return &v
	}
	return nil
}

// Layers returns the places that broker and topic keys take their values from, as they are now.
func (s *settings) Layers() config.Layers { return s.layers(s.n.feed.Image()) }

// TopicLayers is Layers for topics.
func (s *settings) TopicLayers() config.Layers { return s.Layers() }

func (s *settings) layers(img *image.Image) config.Layers {
	return config.Layers{
		Dynamic:        img.Configs(image.Resource{Type: brokerResource, Name: itoa(s.NodeID())}).Map(),
		DynamicDefault: img.Configs(image.ClusterDefaults).Map(),
		Static:         s.static.Set,
	}
}

// AutoCreate returns auto.create.topics.enable.
func (s *settings) AutoCreate() bool { return s.static.Bool("auto.create.topics.enable") }

// DeleteEnabled returns delete.topic.enable.
func (s *settings) DeleteEnabled() bool { return s.static.Bool("delete.topic.enable") }

// MaxDescribedPartitions returns max.request.partition.size.limit.
func (s *settings) MaxDescribedPartitions() int {
	return int(s.static.Int("max.request.partition.size.limit"))
}

// ClusterID returns the cluster's id.
func (s *settings) ClusterID() string { return s.n.storage.ClusterID() }

// LogDirs lists log.dirs, for who sets cordoned.log.dirs.
func (s *settings) LogDirs() []string { return storage.LogDirs(s.static) }

// recoveryThreads is how many logs of a directory are recovered, or closed, at a time; it changes while the broker runs.
func (s *settings) recoveryThreads(img *image.Image) int {
	const key = "num.recovery.threads.per.data.dir"
	return int(s.layers(img).Broker(key).Int(key))
}

// connectionLimits returns the max.connections family, which changes while the broker runs.
func (s *settings) connectionLimits(img *image.Image) listen.ConnectionLimits {
	const overrides = "max.connections.per.ip.overrides"
	v := s.layers(img).Broker("max.connections", "max.connections.per.ip", overrides)
	l := listen.ConnectionLimits{
		Total: min(int(v.Int("max.connections")), storage.ConnectionShare(s.n.o.Descriptors)), PerIP: int(v.Int("max.connections.per.ip")), PerListener: map[string]int{},
		PerIPFor: map[netip.Addr]int{},
	}
	for _, entry := range v.List(overrides) {
		at := strings.LastIndexByte(entry, ':')
		if at < 0 {
			continue
		}
		addr, err := netip.ParseAddr(entry[:at])
		n, bad := strconv.Atoi(entry[at+1:])
		if err == nil && bad == nil {
			l.PerIPFor[addr] = n
		}
	}
	return l
}

func (s *settings) fetchLimits() fetch.Limits {
	return fetch.Limits{
		MaxBytes: int32(s.static.Int("fetch.max.bytes")), SessionEvictMs: 120_000, // Kafka's constant
		SessionSlots: int(s.static.Int("max.incremental.fetch.session.cache.slots")),
		SessionBytes: s.static.Int("milena.request.memory.max.bytes") / 4, // the rest is for requests and answers
		RackAware:    s.rackAware(),
	}
}

// rackAware reports whether consumers are sent to a replica in their rack (KIP-392).
func (s *settings) rackAware() bool {
	class, _ := s.static.Get("replica.selector.class")
	return class == "org.apache.kafka.common.replica.RackAwareReplicaSelector"
}

// replicationFactor returns the factor of an internal topic: as configured, or where nobody did, no more than there are
// brokers to hold it.
func (s *settings) replicationFactor(key string) int64 {
	want := s.static.Int(key)
	if s.static.IsSet(key) {
		return want
	}
	live := int64(0)
	for range s.n.feed.Image().LiveBrokers() {
		live++
	}
	return max(1, min(want, live))
}

func (s *settings) controllerOptions() controller.Options {
	return controller.Options{
		Node:              s.NodeID(),
		DefaultPartitions: int32(s.static.Int("num.partitions")), DefaultReplicas: int16(s.static.Int("default.replication.factor")),
		SessionTimeout: s.static.Millis("broker.session.timeout.ms"), Seed: s.n.o.World.Uint64(),
		Static: s.static.Set, Supported: s.supported(), Rebalance: s.rebalance(),
	}
}

// rebalance is how often preferred leaders are elected, 0 for never.
func (s *settings) rebalance() time.Duration {
	if !s.static.Bool("auto.leader.rebalance.enable") {
		return 0
	}
	return time.Duration(min(max(s.static.Int("leader.imbalance.check.interval.seconds"), 1), math.MaxInt32)) * time.Second
}

// features is what this process can run.
func (s *settings) features() []staterecord.FeatureRange {
	if s.n.o.Features != nil {
		return s.n.o.Features
	}
	return staterecord.Known()
}

// supported is what this process has built, and offers.
func (s *settings) supported() []staterecord.FeatureRange {
	if s.n.o.Features != nil {
		return s.n.o.Features
	}
	return cluster.Supported()
}

func (s *settings) quorumConfig() quorum.Config {
	v := s.static
	idle := v.Millis("metadata.max.idle.interval.ms")
	if idle == 0 {
		idle = -1
	}
	return quorum.Config{
		ElectionTimeout: v.Millis("controller.quorum.election.timeout.ms"), IdleInterval: idle,
		SnapshotBytes:    v.Int("metadata.log.max.record.bytes.between.snapshots"),
		SnapshotInterval: v.Millis("metadata.log.max.snapshot.interval.ms"),
		RetentionBytes:   v.Int("metadata.max.retention.bytes"), Retention: v.Millis("metadata.max.retention.ms"),
		MaxBatchBytes: int(v.Int("internal.metadata.max.batch.size.in.bytes")),
		ChunkBytes:    int(v.Int("controller.quorum.fetch.snapshot.max.bytes")), FetchTimeout: v.Millis("controller.quorum.fetch.timeout.ms"),
	}
}

func (s *settings) observerConfig() quorum.ObserverConfig {
	v := s.static
	return quorum.ObserverConfig{
		MaxBytes: int(v.Int("controller.quorum.fetch.max.bytes")), ChunkBytes: int(v.Int("controller.quorum.fetch.snapshot.max.bytes")),
		FetchTimeout: v.Millis("controller.quorum.fetch.timeout.ms"), RetryBackoff: v.Millis("controller.quorum.retry.backoff.ms"),
		SnapshotBytes: v.Int("metadata.log.max.record.bytes.between.snapshots"),
	}
}

// metadataLog is how __cluster_metadata-0 is kept: quorum trims it, nothing else does.
func (s *settings) metadataLog() log.Config {
	c := log.DefaultConfig()
	c.Roll.SegmentBytes = s.static.Int("metadata.log.segment.bytes")
	c.Roll.SegmentMs = s.static.Int("metadata.log.segment.ms")
	c.Accept.MaxMessageBytes = math.MaxInt32
	c.Keep.Delete = false
	return c
}

func (s *settings) groupConfig() group.Config {
	v, c := s.static, group.DefaultConfig()
	c.Classic.MaxSize = int(v.Int("group.max.size"))
	c.Classic.InitialRebalanceDelay = v.Millis("group.initial.rebalance.delay.ms")
	c.Classic.MinSessionTimeoutMs = int32(v.Int("group.min.session.timeout.ms"))
	c.Classic.MaxSessionTimeoutMs = int32(v.Int("group.max.session.timeout.ms"))
	c.MetadataMaxBytes = int(v.Int("offset.metadata.max.bytes"))
	c.OffsetsRetentionMs = v.Int("offsets.retention.minutes") * int64(time.Minute/time.Millisecond)
	c.OffsetsCheckEvery = v.Millis("offsets.retention.check.interval.ms")
	return c
}
