package commands

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
)

// WriteAllocateProducerIDs makes the request.
func WriteAllocateProducerIDs(c controller.AllocateProducerIDs) *kmsg.AllocateProducerIDsRequest {
	m := kmsg.NewPtrAllocateProducerIDsRequest()
	m.BrokerID, m.BrokerEpoch = int32(c.Broker), int64(c.Epoch)
	return m
}

// ReadAllocateProducerIDs reads it.
func ReadAllocateProducerIDs(m *kmsg.AllocateProducerIDsRequest) controller.AllocateProducerIDs {
	return controller.AllocateProducerIDs{Broker: kafka.NodeID(m.BrokerID), Epoch: kafka.BrokerEpoch(m.BrokerEpoch)}
}

// AnswerAllocateProducerIDs makes the answer.
func AnswerAllocateProducerIDs(m *kmsg.AllocateProducerIDsRequest, reply any, err error) kmsg.Response {
	out := m.ResponseKind().(*kmsg.AllocateProducerIDsResponse)
	if err != nil {
		refuse(&out.ErrorCode, &out.UnknownTags, err)
		return out
	}
	b := reply.(controller.ProducerIDs)
	out.ProducerIDStart, out.ProducerIDLen = int64(b.First), b.Count
	return out
}

func producerIDs(m *kmsg.AllocateProducerIDsResponse) (any, error) {
	if err := refusal(m.ErrorCode, &m.UnknownTags); err != nil {
		return nil, err
	}
	return controller.ProducerIDs{First: kafka.ProducerID(m.ProducerIDStart), Count: m.ProducerIDLen}, nil
}
