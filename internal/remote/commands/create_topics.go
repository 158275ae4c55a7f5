package commands

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
)

// createTimeoutMs is what the request says of time. The broker keeps its own.
const createTimeoutMs = 30_000

// WriteCreateTopics makes the request by which a broker has topics made that a client needs, or a coordinator does. The other
// end of it is the handler for clients.
func WriteCreateTopics(c controller.CreateTopics) *kmsg.CreateTopicsRequest {
	m := kmsg.NewPtrCreateTopicsRequest()
	m.TimeoutMillis, m.ValidateOnly = createTimeoutMs, c.ValidateOnly
	for i := range c.Topics {
		n := &c.Topics[i]
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = n.Name, n.Partitions, n.Replicas
		for _, a := range n.Assignment {
			r := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
			r.Partition, r.Replicas = a.Partition, numbers(a.Replicas)
			t.ReplicaAssignment = append(t.ReplicaAssignment, r)
		}
		for _, s := range n.Configs {
			r := kmsg.NewCreateTopicsRequestTopicConfig()
			r.Name, r.Value = s.Name, s.Value
			t.Configs = append(t.Configs, r)
		}
		m.Topics = append(m.Topics, t)
	}
	return m
}

// createdTopics puts the answer, which names topics in an order of its own, into the order in which they were asked for.
func createdTopics(c controller.CreateTopics, m *kmsg.CreateTopicsResponse) (any, error) {
	named := map[string]*kmsg.CreateTopicsResponseTopic{}
	for i := range m.Topics {
		named[m.Topics[i].Topic] = &m.Topics[i]
	}
	out := make([]controller.CreatedTopic, len(c.Topics))
	for i := range c.Topics {
		t := named[c.Topics[i].Name]
		if t == nil {
			return nil, fault.New("controller", kafka.ErrUnknownServerError, "The controller did not say what became of topic %s.", c.Topics[i].Name)
		}
		out[i] = controller.CreatedTopic{
			Problem: controller.Problem{Code: kafka.ErrorCode(t.ErrorCode), Message: unword(t.ErrorMessage)},
			ID:      t.TopicID, Name: t.Topic, Partitions: t.NumPartitions, Replicas: t.ReplicationFactor,
		}
	}
	return out, nil
}
