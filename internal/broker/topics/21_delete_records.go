package topics

import (
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/wire"
)

// DeleteRecords serves DeleteRecords v0-2 (KIP-107) on the leader of each partition: the log start moves to the offset,
// or to the high watermark for -1, and stays there whatever crashes and whoever leads. Errors: REQUEST_TIMED_OUT while other
// replicas in sync are not that far, OFFSET_OUT_OF_RANGE beyond the high
// watermark, POLICY_VIOLATION for a topic without the delete policy, INVALID_TOPIC_EXCEPTION for an internal topic.
func (t *Topics) DeleteRecords(req *wire.Request) {
	in := req.Body.(*kmsg.DeleteRecordsRequest)
	out := in.ResponseKind().(*kmsg.DeleteRecordsResponse)
	left := 1
	var mu sync.Mutex
	over := func() {
		mu.Lock()
		left--
		last := left == 0
		mu.Unlock()
		if last {
			req.Reply(wire.Reply{Message: out})
		}
	}
	for i := range in.Topics {
		topic := &in.Topics[i]
		rt := kmsg.NewDeleteRecordsResponseTopic()
		rt.Topic = topic.Topic
		rt.Partitions = make([]kmsg.DeleteRecordsResponseTopicPartition, len(topic.Partitions))
		left += len(topic.Partitions)
		out.Topics = append(out.Topics, rt)
	}
	for i := range in.Topics {
		for j, p := range in.Topics[i].Partitions {
			rp := &out.Topics[i].Partitions[j]
			*rp = kmsg.NewDeleteRecordsResponseTopicPartition()
			rp.Partition = p.Partition
			t.deleteRecords(in.Topics[i].Topic, p, timeout(in.TimeoutMillis), func(low kafka.Offset, err error) {
				rp.LowWatermark, rp.ErrorCode = int64(low), int16(fault.CodeOf(err))
				over()
			})
		}
	}
	over()
}

func (t *Topics) deleteRecords(topic string, p kmsg.DeleteRecordsRequestTopicPartition, within time.Duration, done func(low kafka.Offset, err error)) {
	found, err := t.partitions.ByName(kafka.TopicPartition{Topic: topic, Partition: p.Partition})
	switch {
	case err != nil:
	case kafka.IsInternalTopic(topic):
		err = fault.New("topics.DeleteRecords", kafka.ErrInvalidTopicException, "records of internal topic %s are not for clients to delete", topic)
	default:
		found.DeleteRecords(kafka.Offset(p.Offset), within, done)
		return
	}
	done(kafka.NoOffset, err)
}
