package commands

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/staterecord"
)

// anyEpoch stands for a member of an ISR of which the leader doesn't know the incarnation (KIP-903).
const anyEpoch = -1

// WriteAlterPartition makes the request. Version 2 has no place for the members' epochs.
func WriteAlterPartition(c controller.AlterPartition) *kmsg.AlterPartitionRequest {
	m := kmsg.NewPtrAlterPartitionRequest()
	m.BrokerID, m.BrokerEpoch = int32(c.Broker), int64(c.Epoch)
	for i := range c.Partitions {
		w := &c.Partitions[i]
		if n := len(m.Topics); n == 0 || m.Topics[n-1].TopicID != w.ID.TopicID {
			t := kmsg.NewAlterPartitionRequestTopic()
			t.TopicID = w.ID.TopicID
			m.Topics = append(m.Topics, t)
		}
		p := kmsg.NewAlterPartitionRequestTopicPartition()
		p.Partition, p.LeaderEpoch, p.PartitionEpoch = w.ID.Partition, int32(w.LeaderEpoch), int32(w.PartitionEpoch)
		p.LeaderRecoveryState = int8(w.Recovery)
		p.NewISR = numbers(w.ISR)
		for k, id := range w.ISR {
			e := kmsg.NewAlterPartitionRequestTopicPartitionNewEpochISR()
			e.BrokerID, e.BrokerEpoch = int32(id), anyEpoch
			if k < len(w.Epochs) {
				e.BrokerEpoch = int64(w.Epochs[k])
			}
			p.NewEpochISR = append(p.NewEpochISR, e)
		}
		if w.Settled {
			p.UnknownTags.Set(tagSettled, []byte{})
		}
		t := &m.Topics[len(m.Topics)-1]
		t.Partitions = append(t.Partitions, p)
	}
	return m
}

// ReadAlterPartition reads it.
func ReadAlterPartition(m *kmsg.AlterPartitionRequest) controller.AlterPartition {
	c := controller.AlterPartition{Broker: kafka.NodeID(m.BrokerID), Epoch: kafka.BrokerEpoch(m.BrokerEpoch)}
	for i := range m.Topics {
		t := &m.Topics[i]
		for k := range t.Partitions {
			p := &t.Partitions[k]
			w := controller.PartitionWish{
				ID:          kafka.TopicIDPartition{TopicID: t.TopicID, Partition: p.Partition},
				LeaderEpoch: kafka.LeaderEpoch(p.LeaderEpoch), PartitionEpoch: kafka.PartitionEpoch(p.PartitionEpoch),
				Recovery: staterecord.LeaderRecovery(p.LeaderRecoveryState), Settled: tagged(&p.UnknownTags, tagSettled) != nil,
			}
			if m.Version < 3 {
				w.ISR = nodes(p.NewISR)
			} else {
				w.ISR, w.Epochs = members(p.NewEpochISR)
			}
			c.Partitions = append(c.Partitions, w)
		}
	}
	return c
}

// members splits ids from epochs, which are nil when none is told.
func members(in []kmsg.AlterPartitionRequestTopicPartitionNewEpochISR) (ids []kafka.NodeID, epochs []kafka.BrokerEpoch) {
	ids = make([]kafka.NodeID, len(in))
	for i := range in {
		ids[i] = kafka.NodeID(in[i].BrokerID)
		if in[i].BrokerEpoch == anyEpoch {
			continue
		}
		if epochs == nil {
			epochs = make([]kafka.BrokerEpoch, len(in))
			for k := range epochs {
				epochs[k] = anyEpoch
			}
		}
		epochs[i] = kafka.BrokerEpoch(in[i].BrokerEpoch)
	}
	return ids, epochs
}

// AnswerAlterPartition makes the answer.
func AnswerAlterPartition(m *kmsg.AlterPartitionRequest, reply any, err error) kmsg.Response {
	out := m.ResponseKind().(*kmsg.AlterPartitionResponse)
	if err != nil {
		refuse(&out.ErrorCode, &out.UnknownTags, err)
		return out
	}
	for _, a := range reply.([]controller.AlteredPartition) {
		if n := len(out.Topics); n == 0 || out.Topics[n-1].TopidID != a.ID.TopicID {
			t := kmsg.NewAlterPartitionResponseTopic()
			t.TopidID = a.ID.TopicID
			out.Topics = append(out.Topics, t)
		}
		p := kmsg.NewAlterPartitionResponseTopicPartition()
		p.Partition, p.ErrorCode, p.LeaderID, p.LeaderEpoch = a.ID.Partition, int16(a.Code), int32(a.Leader), int32(a.LeaderEpoch)
		p.PartitionEpoch, p.ISR, p.LeaderRecoveryState = int32(a.PartitionEpoch), numbers(a.ISR), int8(a.Recovery)
		explain(&p.UnknownTags, a.Problem)
		t := &out.Topics[len(out.Topics)-1]
		t.Partitions = append(t.Partitions, p)
	}
	return out
}

func alteredPartitions(m *kmsg.AlterPartitionResponse) (any, error) {
	if err := refusal(m.ErrorCode, &m.UnknownTags); err != nil {
		return nil, err
	}
	var out []controller.AlteredPartition
	for i := range m.Topics {
		t := &m.Topics[i]
		for k := range t.Partitions {
			p := &t.Partitions[k]
			out = append(out, controller.AlteredPartition{
				Problem: problemIn(p.ErrorCode, &p.UnknownTags),
				ID:      kafka.TopicIDPartition{TopicID: t.TopidID, Partition: p.Partition},
				Leader:  kafka.NodeID(p.LeaderID), LeaderEpoch: kafka.LeaderEpoch(p.LeaderEpoch),
				PartitionEpoch: kafka.PartitionEpoch(p.PartitionEpoch), ISR: nodes(p.ISR), Recovery: staterecord.LeaderRecovery(p.LeaderRecoveryState),
			})
		}
	}
	return out, nil
}

func numbers(in []kafka.NodeID) []int32 {
	out := make([]int32, len(in))
	for i, id := range in {
		out[i] = int32(id)
	}
	return out
}

func nodes(in []int32) []kafka.NodeID {
	out := make([]kafka.NodeID, len(in))
	for i, id := range in {
		out[i] = kafka.NodeID(id)
	}
	return out
}
