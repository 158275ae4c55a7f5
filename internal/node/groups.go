package node

import (
	"sync/atomic"
	"time"

	"github.com/milena-io/milena/internal/broker/groups"
	"github.com/milena-io/milena/internal/coordinator"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/replica"
)

// groupLog is a partition of __consumer_offsets as the coordinator sees it.
type groupLog struct {
	p *partition.Partition
	n *Node
}

func (g groupLog) Append(epoch kafka.LeaderEpoch, b record.Batch, done func(kafka.Offset, error)) {
	g.p.Append(partition.Append{Batch: b, Acks: -1, Origin: partition.Coordinator, Epoch: epoch},
		func(a partition.Appended) { done(a.Base, a.Err) })
}

func (g groupLog) Bounds(epoch kafka.LeaderEpoch) (start, end kafka.Offset, err error) {
	return g.p.Bounds(epoch)
}

func (g groupLog) Read(from kafka.Offset, maxBytes int) ([]byte, error) {
	return g.p.Replay(from, maxBytes)
}

func (g groupLog) Committed(epoch kafka.LeaderEpoch, upTo kafka.Offset, done func(error)) {
	g.p.AwaitCommitted(epoch, upTo, done)
}

// Confirm asks those who may lead next whether they do (G3).
func (g groupLog) Confirm(epoch kafka.LeaderEpoch, done func(error)) {
	rivals, err := partition.AsLeader(g.p).Rivals(epoch)
	if err != nil || len(rivals) == 0 {
		done(err)
		return
	}
	r := g.n.replicas.others
	img := g.n.replicas.Image()
	topic, ok := g.n.replicas.topicOf(img, g.p)
	if !ok {
		done(fault.New("node.Confirm", kafka.ErrNotLeaderOrFollower, "%s is not the one that was led any more", g.p.Name()))
		return
	}
	var ask []replica.Source
	for _, id := range rivals {
		addr, ok := r.address(img.Broker(id))
		if !ok {
			done(fault.New("node.Confirm", kafka.ErrBrokerNotAvailable, "broker %d is not known", id))
			return
		}
		ask = append(ask, replica.Source{Node: id, Addr: addr})
	}
	r.assents.Ask(g.p.Name(), topic, epoch, ask, done)
}

func (n *Node) coordinatorEnv() coordinator.Env {
	return coordinator.Env{
		World: n.o.World, Logger: n.log("kafka.coordinator.group"), Config: n.settings.groupConfig(),
		Partitions: func() int32 {
			if t := n.feed.Image().TopicNamed(kafka.OffsetsTopic); t != nil {
				return int32(t.Len())
			}
			return 0
		},
		CommitTimeout: n.settings.static.Millis("offsets.commit.timeout.ms"),
		MaxBatchBytes: n.maxGroupBatch(),
		LoadBytes:     int(n.settings.static.Int("offsets.load.buffer.size")),
	}
}

// maxGroupBatch returns max.message.bytes of __consumer_offsets as it is now; every commit asks, so it is looked up once an
// image.
func (n *Node) maxGroupBatch() func() int {
	type known struct {
		img *image.Image
		max int
	}
	var last atomic.Pointer[known]
	return func() int {
		img := n.feed.Image()
		k := last.Load()
		if k == nil || k.img != img {
			k = &known{img, n.settings.partition(img, kafka.OffsetsTopic).Log.Accept.MaxMessageBytes}
			last.Store(k)
		}
		return k.max
	}
}

// groupMetadata is the image as the group handlers see it; it also makes __consumer_offsets.
type groupMetadata struct{ n *Node }

func (g groupMetadata) Topic(name string) (kafka.TopicID, int32, bool) {
	t := g.n.feed.Image().TopicNamed(name)
	if t == nil {
		return kafka.TopicID{}, 0, false
	}
	return t.ID, int32(t.Len()), true
}

func (g groupMetadata) TopicName(id kafka.TopicID) (string, bool) {
	t := g.n.feed.Image().Topic(id)
	if t == nil {
		return "", false
	}
	return t.Name, true
}

func (g groupMetadata) Leader(listener, topic string, number int32) (groups.Node, bool) {
	h := g.n.replicas.Leader(listener, topic, kafka.TopicID{}, number)
	if h == nil {
		return groups.Node{}, false
	}
	return groups.Node{ID: h.ID, Host: h.Host, Port: h.Port}, true
}

// CreateOffsetsTopic makes __consumer_offsets as the broker's keys say. Several may ask at once: the first one makes it.
func (g groupMetadata) CreateOffsetsTopic(done func(error)) {
	s := &g.n.settings
	text := func(v string) *string { return &v }
	topic := controller.NewTopic{
		ID: kafka.TopicID(g.n.o.World.UUID()), Name: kafka.OffsetsTopic,
		Partitions: int32(s.static.Int("offsets.topic.num.partitions")),
		Replicas:   int16(s.replicationFactor("offsets.topic.replication.factor")),
		Configs: []controller.ConfigSet{
			{Name: "cleanup.policy", Value: text("compact")},
			{Name: "compression.type", Value: text("producer")},
			{Name: "segment.bytes", Value: text(s.static.Text("offsets.topic.segment.bytes"))},
		},
	}
	cmd := controller.CreateTopics{Topics: []controller.NewTopic{topic}}
	g.n.control.Submit(30*time.Second, cmd, func(reply any, err error) {
		if err == nil {
			if c := reply.([]controller.CreatedTopic)[0]; !c.OK() && c.Code != kafka.ErrTopicAlreadyExists {
				err = fault.New("node.CreateOffsetsTopic", c.Code, "%s", c.Message)
			}
		}
		done(err)
	})
}
