package topics

import (
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/wire"
)

// autoCreateTimeout bounds how long a Metadata request waits for a topic that it makes.
const autoCreateTimeout = 5 * time.Second

// Metadata serves Metadata v0-13: brokers at their addresses on the listener that was asked (surface 25), topics by name
// or, from v12 on, by id (KIP-516). null asks for all topics, an empty list for none, before v1 for all (surface 4).
// A missing topic is created where the request and auto.create.topics.enable allow it, and the answer tells of it;
// Apache Kafka answers UNKNOWN_TOPIC_OR_PARTITION first and the client has to ask again. While every broker is fenced, as the only one is
// when it stops, fenced ones are told of: librdkafka from 2.10 on forgets the brokers that it isn't told of, and who is told of none may
// stay away until metadata.recovery.rebootstrap.trigger.ms, five minutes, although the cluster is back at once.
func (t *Topics) Metadata(req *wire.Request) {
	in := req.Body.(*kmsg.MetadataRequest)
	q := metadataQuestion{req: req, in: in, all: in.Topics == nil || in.Version == 0 && len(in.Topics) == 0}
	if why := q.invalid(); why != "" {
		t.refuseMetadata(req, in)
		return
	}
	missing := t.missing(&q)
	if len(missing) == 0 {
		t.answerMetadata(&q, nil)
		return
	}
	t.controller.Submit(autoCreateTimeout, controller.CreateTopics{Topics: missing}, func(reply any, err error) {
		codes := map[string]kafka.ErrorCode{}
		if created, ok := reply.([]controller.CreatedTopic); ok && err == nil {
			for _, c := range created {
				codes[c.Name] = c.Code
			}
		}
		t.shown(codes, t.world.Now().Mono+autoCreateTimeout, func() { t.answerMetadata(&q, codes) })
	})
}

// autoCreateLook is how often this node looks whether its image has come as far as the controller that made a topic.
const autoCreateLook = 2 * time.Millisecond

// shown calls done once this node knows the topics that were made, and not later than a moment of monotonic time.
func (t *Topics) shown(codes map[string]kafka.ErrorCode, until time.Duration, done func()) {
	img := t.image()
	for name, code := range codes {
		if code == kafka.ErrNone && img.TopicNamed(name) == nil && t.world.Now().Mono < until {
			t.world.After(autoCreateLook, func() { t.shown(codes, until, done) })
			return
		}
	}
	done()
}

type metadataQuestion struct {
	req *wire.Request
	in  *kmsg.MetadataRequest
	all bool
}

// invalid tells what Kafka refuses of names and ids by version.
func (q *metadataQuestion) invalid() string {
	for i := range q.in.Topics {
		topic := &q.in.Topics[i]
		if q.in.Version < 12 && topic.Topic == nil {
			return fmt.Sprintf("Topic name can not be null for version %d", q.in.Version)
		}
		if q.in.Version < 12 && !kafka.TopicID(topic.TopicID).IsZero() {
			return fmt.Sprintf("Topic IDs are not supported in requests for version %d", q.in.Version)
		}
	}
	return ""
}

// refuseMetadata puts INVALID_REQUEST on every topic; the response has no place of its own for it before v13.
func (t *Topics) refuseMetadata(req *wire.Request, in *kmsg.MetadataRequest) {
	out := in.ResponseKind().(*kmsg.MetadataResponse)
	out.ControllerID = int32(kafka.NoNode)
	for i := range in.Topics {
		rt := kmsg.NewMetadataResponseTopic()
		rt.ErrorCode, rt.Topic, rt.TopicID = int16(kafka.ErrInvalidRequest), in.Topics[i].Topic, in.Topics[i].TopicID
		if rt.Topic == nil && in.Version < 12 {
			rt.Topic = new(string)
		}
		out.Topics = append(out.Topics, rt)
	}
	req.Reply(wire.Reply{Message: out})
}

// missing lists the topics to make. Internal topics are made with what their own keys say, by who needs them.
func (t *Topics) missing(q *metadataQuestion) []controller.NewTopic {
	if q.all || q.in.Version >= 4 && !q.in.AllowAutoTopicCreation || !t.settings.AutoCreate() {
		return nil
	}
	img := t.image()
	var out []controller.NewTopic
	listed := map[string]bool{}
	for i := range q.in.Topics {
		name := q.in.Topics[i].Topic
		if name == nil || !kafka.TopicID(q.in.Topics[i].TopicID).IsZero() || kafka.IsInternalTopic(*name) ||
			*name == kafka.MetadataTopic || img.TopicNamed(*name) != nil {
			continue
		}
		if listed[*name] {
			continue
		}
		listed[*name] = true
		out = append(out, controller.NewTopic{ID: kafka.TopicID(t.world.UUID()), Name: *name, Partitions: -1, Replicas: -1})
	}
	return out
}

func (t *Topics) answerMetadata(q *metadataQuestion, created map[string]kafka.ErrorCode) {
	img, in := t.image(), q.in
	out := in.ResponseKind().(*kmsg.MetadataResponse)
	id := t.settings.ClusterID()
	out.ClusterID = &id
	out.AuthorizedOperations = notAsked
	if in.IncludeClusterAuthorizedOperations {
		out.AuthorizedOperations = allClusterOperations
	}
	out.ControllerID = int32(kafka.NoNode)
	out.Brokers = reached(img.LiveBrokers(), q.req.Peer.Listener)
	if len(out.Brokers) == 0 {
		out.Brokers = reached(img.Brokers(), q.req.Peer.Listener)
	}
	if n := uint64(len(out.Brokers)); n > 0 {
		// Under KRaft any broker does: it passes on what is the controller's.
		out.ControllerID = out.Brokers[t.world.Uint64()%n].NodeID
	}
	view := topicView{img: img, version: in.Version, listener: q.req.Peer.Listener, operations: in.IncludeTopicAuthorizedOperations}
	if q.all {
		for topic := range img.Topics() {
			out.Topics = append(out.Topics, view.topic(topic))
		}
	}
	seen := map[string]bool{}
	for i := range in.Topics {
		rt := view.asked(&in.Topics[i], created)
		key := kafka.TopicID(rt.TopicID).String()
		if rt.Topic != nil {
			key = *rt.Topic
		}
		if !seen[key] {
			seen[key] = true
			out.Topics = append(out.Topics, rt)
		}
	}
	q.req.Reply(wire.Reply{Message: out})
}

// reached lists brokers as clients of a listener reach them.
func reached(brokers iter.Seq[*image.Broker], listener string) (out []kmsg.MetadataResponseBroker) {
	for b := range brokers {
		if e, ok := b.Endpoint(listener); ok {
			rb := kmsg.NewMetadataResponseBroker()
			rb.NodeID, rb.Host, rb.Port, rb.Rack = int32(b.ID), e.Host, int32(e.Port), b.Rack
			out = append(out, rb)
		}
	}
	return out
}

// topicView shows topics as one client sees them.
type topicView struct {
	img        *image.Image
	version    int16
	listener   string
	operations bool
}

// asked answers about one topic of a request, by id or by name.
func (v *topicView) asked(a *kmsg.MetadataRequestTopic, created map[string]kafka.ErrorCode) kmsg.MetadataResponseTopic {
	id := kafka.TopicID(a.TopicID)
	rt := kmsg.NewMetadataResponseTopic()
	rt.AuthorizedOperations = notAsked
	var topic *image.Topic
	switch {
	case !id.IsZero():
		if topic = v.img.Topic(id); topic == nil {
			rt.ErrorCode, rt.TopicID = int16(kafka.ErrUnknownTopicId), a.TopicID
			return rt
		}
	case a.Topic == nil:
		rt.ErrorCode = int16(kafka.ErrUnknownTopicId)
		return rt
	default:
		if topic = v.img.TopicNamed(*a.Topic); topic == nil {
			rt.Topic = a.Topic
			rt.ErrorCode = int16(missingTopic(*a.Topic, created))
			rt.IsInternal = kafka.IsInternalTopic(*a.Topic)
			if v.operations {
				rt.AuthorizedOperations = allTopicOperations
			}
			return rt
		}
	}
	return v.topic(topic)
}

func missingTopic(name string, created map[string]kafka.ErrorCode) kafka.ErrorCode {
	if kafka.TopicNameProblem(name) != "" {
		return kafka.ErrInvalidTopicException
	}
	if c, ok := created[name]; ok && c != kafka.ErrNone && c != kafka.ErrTopicAlreadyExists {
		return c
	}
	return kafka.ErrUnknownTopicOrPartition
}

func (v *topicView) topic(topic *image.Topic) kmsg.MetadataResponseTopic {
	rt := kmsg.NewMetadataResponseTopic()
	rt.Topic, rt.TopicID, rt.IsInternal = &topic.Name, topic.ID, topic.IsInternal()
	rt.AuthorizedOperations = notAsked
	if v.operations {
		rt.AuthorizedOperations = allTopicOperations
	}
	rt.Partitions = make([]kmsg.MetadataResponseTopicPartition, 0, topic.Len())
	for n, p := range topic.Partitions() {
		rp := kmsg.NewMetadataResponseTopicPartition()
		rp.Partition, rp.LeaderEpoch = n, int32(p.LeaderEpoch)
		rp.Leader, rp.ErrorCode = v.leader(p)
		rp.Replicas, rp.ISR, rp.OfflineReplicas = nodes(p.Replicas()), nodes(p.ISR()), v.offline(p)
		if v.version == 0 {
			v.onlyReachable(&rp)
		}
		rt.Partitions = append(rt.Partitions, rp)
	}
	return rt
}

// leader returns the leader as the listener shows it, and why there is none.
func (v *topicView) leader(p *image.Partition) (int32, int16) {
	if p.Leader == kafka.NoNode {
		return int32(kafka.NoNode), int16(kafka.ErrLeaderNotAvailable)
	}
	if v.reachable(p.Leader) {
		return int32(p.Leader), 0
	}
	b := v.img.Broker(p.Leader)
	if b != nil && !b.Fenced && v.version >= 6 {
		return int32(kafka.NoNode), int16(kafka.ErrListenerNotFound)
	}
	return int32(kafka.NoNode), int16(kafka.ErrLeaderNotAvailable)
}

func (v *topicView) reachable(id kafka.NodeID) bool {
	b := v.img.Broker(id)
	if b == nil || b.Fenced {
		return false
	}
	_, ok := b.Endpoint(v.listener)
	return ok
}

func (v *topicView) offline(p *image.Partition) []int32 {
	out := []int32{}
	for _, id := range p.Replicas() {
		if b := v.img.Broker(id); !v.reachable(id) || !b.HasDirectory(p.Directory(id)) {
			out = append(out, int32(id))
		}
	}
	return out
}

// onlyReachable is v0's rule: brokers that the client cannot reach are left out, with an error.
func (v *topicView) onlyReachable(rp *kmsg.MetadataResponseTopicPartition) {
	gone := func(id int32) bool { return !v.reachable(kafka.NodeID(id)) }
	before := len(rp.Replicas) + len(rp.ISR)
	rp.Replicas, rp.ISR = slices.DeleteFunc(rp.Replicas, gone), slices.DeleteFunc(rp.ISR, gone)
	if rp.ErrorCode == 0 && len(rp.Replicas)+len(rp.ISR) < before {
		rp.ErrorCode = int16(kafka.ErrReplicaNotAvailable)
	}
}
