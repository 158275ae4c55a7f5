package topics

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/wire"
)

// DescribeTopicPartitions serves DescribeTopicPartitions v0 (KIP-966): topics by name, or all for an empty list, in pages
// of partitions. The cursor names the topic and partition to begin with; a topic that is gone meanwhile is passed over.
func (t *Topics) DescribeTopicPartitions(req *wire.Request) {
	in := req.Body.(*kmsg.DescribeTopicPartitionsRequest)
	out := in.ResponseKind().(*kmsg.DescribeTopicPartitionsResponse)
	limit := max(min(t.settings.MaxDescribedPartitions(), int(in.ResponsePartitionLimit)), 1)
	if badCursor(in) {
		// The response has no error of its own; Kafka answers each topic with it.
		for i := range in.Topics {
			rt := kmsg.NewDescribeTopicPartitionsResponseTopic()
			rt.ErrorCode, rt.Topic = int16(kafka.ErrInvalidRequest), &in.Topics[i].Topic
			out.Topics = append(out.Topics, rt)
		}
		req.Reply(wire.Reply{Message: out})
		return
	}
	first, from := "", int32(0)
	if c := in.Cursor; c != nil {
		first, from = c.Topic, c.Partition
	}
	img := t.image()
	view := topicView{img: img, listener: req.Peer.Listener}
	for _, name := range describedNames(img, in, first) {
		start := int32(0)
		if name == first {
			start = from
		}
		if limit == 0 {
			out.NextCursor = cursor(name, start)
			break
		}
		rt, next := view.described(name, start, limit)
		out.Topics = append(out.Topics, rt)
		limit -= len(rt.Partitions)
		if next >= 0 {
			out.NextCursor = cursor(name, next)
			break
		}
	}
	req.Reply(wire.Reply{Message: out})
}

// badCursor reports a cursor that no answer can have given: below partition 0, or on a topic that is not asked about.
func badCursor(in *kmsg.DescribeTopicPartitionsRequest) bool {
	c := in.Cursor
	return c != nil && (c.Partition < 0 || len(in.Topics) > 0 && !slices.ContainsFunc(in.Topics,
		func(t kmsg.DescribeTopicPartitionsRequestTopic) bool { return t.Topic == c.Topic }))
}

// describedNames lists what to describe, by name, from the cursor's topic on.
func describedNames(img *image.Image, in *kmsg.DescribeTopicPartitionsRequest, first string) []string {
	var names []string
	if len(in.Topics) == 0 {
		for topic := range img.TopicsFrom(first) {
			names = append(names, topic.Name)
		}
		return names
	}
	for i := range in.Topics {
		if in.Topics[i].Topic >= first {
			names = append(names, in.Topics[i].Topic)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func cursor(topic string, partition int32) *kmsg.DescribeTopicPartitionsResponseNextCursor {
	c := kmsg.NewDescribeTopicPartitionsResponseNextCursor()
	c.Topic, c.Partition = topic, partition
	return &c
}

// described shows at most limit partitions of a topic; next is the first one left out, -1 when there is none.
func (v *topicView) described(name string, start int32, limit int) (kmsg.DescribeTopicPartitionsResponseTopic, int32) {
	rt := kmsg.NewDescribeTopicPartitionsResponseTopic()
	rt.Topic, rt.AuthorizedOperations = &name, allTopicOperations
	topic := v.img.TopicNamed(name)
	if topic == nil {
		rt.ErrorCode = int16(missingTopic(name, nil))
		return rt, -1
	}
	rt.TopicID, rt.IsInternal = topic.ID, topic.IsInternal()
	for n := start; int(n) < topic.Len(); n++ {
		if len(rt.Partitions) == limit {
			return rt, n
		}
		p, _ := topic.Partition(n)
		rp := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
		rp.Partition, rp.LeaderEpoch = n, int32(p.LeaderEpoch)
		rp.LeaderID, _ = v.leader(p) // an error is only ever a topic's
		rp.Replicas, rp.ISR, rp.OfflineReplicas = nodes(p.Replicas()), nodes(p.ISR()), v.offline(p)
		rp.EligibleLeaderReplicas, rp.LastKnownELR = nodes(p.ELR()), nodes(p.LastKnownELR())
		rt.Partitions = append(rt.Partitions, rp)
	}
	return rt, -1
}
