package transactions

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/wire"
)

// Partitions finds this node's replicas by name; UNKNOWN_TOPIC_OR_PARTITION or NOT_LEADER_OR_FOLLOWER otherwise.
type Partitions interface {
	ByName(kafka.TopicPartition) (*partition.Partition, error)
}

// DescribeProducers serves DescribeProducers v0 (KIP-664): the producers with state on each partition led here. The
// answer is one for each partition asked for; a failure of one never touches the others.
func (t *Transactions) DescribeProducers(req *wire.Request) {
	in := req.Body.(*kmsg.DescribeProducersRequest)
	out := in.ResponseKind().(*kmsg.DescribeProducersResponse)
	for _, topic := range in.Topics {
		rt := kmsg.NewDescribeProducersResponseTopic()
		rt.Topic = topic.Topic
		for _, n := range topic.Partitions {
			rt.Partitions = append(rt.Partitions, t.describe(kafka.TopicPartition{Topic: topic.Topic, Partition: n}))
		}
		out.Topics = append(out.Topics, rt)
	}
	req.Reply(wire.Reply{Message: out})
}

func (t *Transactions) describe(name kafka.TopicPartition) kmsg.DescribeProducersResponseTopicPartition {
	rp := kmsg.NewDescribeProducersResponseTopicPartition()
	rp.Partition = name.Partition
	if why := kafka.TopicNameProblem(name.Topic); why != "" {
		rp.ErrorCode, rp.ErrorMessage = int16(kafka.ErrInvalidTopicException), &why
		return rp
	}
	p, err := t.partitions.ByName(name)
	if err == nil {
		var states []partition.ProducerState
		if states, err = p.Producers(); err == nil {
			for _, s := range states {
				rp.ActiveProducers = append(rp.ActiveProducers, activeProducer(&s))
			}
		}
	}
	rp.ErrorCode, rp.ErrorMessage = int16(fault.CodeOf(err)), fault.MessageOf(err)
	return rp
}

func activeProducer(s *partition.ProducerState) kmsg.DescribeProducersResponseTopicPartitionActiveProducer {
	a := kmsg.NewDescribeProducersResponseTopicPartitionActiveProducer()
	a.ProducerID = int64(s.ID)
	a.ProducerEpoch = int32(s.Epoch)
	a.LastSequence = s.LastSequence()
	a.LastTimestamp = s.Timestamp
	a.CoordinatorEpoch = s.CoordinatorEpoch
	a.CurrentTxnStartOffset = int64(s.TxnFirst)
	return a
}
