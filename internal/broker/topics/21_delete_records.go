package topics

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/wire"
)

// DeleteRecords serves DeleteRecords v0-2 (KIP-107) on the leader of each partition: the log start moves to the offset,
// or to the high watermark for -1, and stays there whatever crashes. Errors: OFFSET_OUT_OF_RANGE beyond the high
// watermark, POLICY_VIOLATION for a topic without the delete policy, INVALID_TOPIC_EXCEPTION for an internal topic.
func (t *Topics) DeleteRecords(req *wire.Request) {
	in := req.Body.(*kmsg.DeleteRecordsRequest)
	out := in.ResponseKind().(*kmsg.DeleteRecordsResponse)
	t.world.Go(func() { // a new log start is synced, and the connection's reader must not wait for a disk
		for i := range in.Topics {
			topic := &in.Topics[i]
			rt := kmsg.NewDeleteRecordsResponseTopic()
			rt.Topic = topic.Topic
			for j := range topic.Partitions {
				rt.Partitions = append(rt.Partitions, t.deleteRecords(topic.Topic, &topic.Partitions[j]))
			}
			out.Topics = append(out.Topics, rt)
		}
		req.Reply(wire.Reply{Message: out})
	})
}

func (t *Topics) deleteRecords(topic string, p *kmsg.DeleteRecordsRequestTopicPartition) kmsg.DeleteRecordsResponseTopicPartition {
	rp := kmsg.NewDeleteRecordsResponseTopicPartition()
	rp.Partition, rp.LowWatermark = p.Partition, int64(kafka.NoOffset)
	found, err := t.partitions.ByName(kafka.TopicPartition{Topic: topic, Partition: p.Partition})
	if err == nil && kafka.IsInternalTopic(topic) {
		err = fault.New("topics.DeleteRecords", kafka.ErrInvalidTopicException, "records of internal topic %s are not for clients to delete", topic)
	} else if err == nil {
		var low kafka.Offset
		if low, err = found.DeleteRecords(kafka.Offset(p.Offset)); err == nil {
			rp.LowWatermark = int64(low)
		}
	}
	rp.ErrorCode = int16(fault.CodeOf(err))
	return rp
}
