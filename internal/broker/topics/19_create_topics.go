package topics

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/wire"
)

// CreateTopics serves CreateTopics v2-7, on any broker. Each topic succeeds or fails by itself; one that is named twice
// fails whole (surface 23). From v5 on a success tells the topic's effective configs (KIP-525), from v7 on its id.
func (t *Topics) CreateTopics(req *wire.Request) {
	in := req.Body.(*kmsg.CreateTopicsRequest)
	out := in.ResponseKind().(*kmsg.CreateTopicsResponse)
	times := map[string]int{}
	for i := range in.Topics {
		times[in.Topics[i].Topic]++
	}
	cmd := controller.CreateTopics{ValidateOnly: in.ValidateOnly}
	var asked []*kmsg.CreateTopicsRequestTopic
	for i := range in.Topics {
		topic := &in.Topics[i]
		switch n := times[topic.Topic]; {
		case n == 1 && topic.Topic == kafka.MetadataTopic:
			out.Topics = append(out.Topics, refusedTopic(topic.Topic, kafka.ErrInvalidRequest,
				"Creation of internal topic "+kafka.MetadataTopic+" is prohibited."))
		case n == 1:
			asked = append(asked, topic)
			cmd.Topics = append(cmd.Topics, newTopic(kafka.TopicID(t.world.UUID()), topic))
		case n > 1:
			times[topic.Topic] = 0
			out.Topics = append(out.Topics, refusedTopic(topic.Topic, kafka.ErrInvalidRequest, "Duplicate topic name."))
		}
	}
	if len(cmd.Topics) == 0 {
		req.Reply(wire.Reply{Message: out})
		return
	}
	t.controller.Submit(timeout(in.TimeoutMillis), cmd, func(reply any, err error) {
		if err != nil {
			for _, topic := range asked {
				out.Topics = append(out.Topics, refusedTopic(topic.Topic, fault.CodeOf(err), text(fault.MessageOf(err))))
			}
			req.Reply(wire.Reply{Message: out})
			return
		}
		for i, c := range reply.([]controller.CreatedTopic) {
			out.Topics = append(out.Topics, t.createdTopic(&c, asked[i], in.ValidateOnly))
		}
		req.Reply(wire.Reply{Message: out})
	})
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func newTopic(id kafka.TopicID, in *kmsg.CreateTopicsRequestTopic) controller.NewTopic {
	n := controller.NewTopic{ID: id, Name: in.Topic, Partitions: in.NumPartitions, Replicas: in.ReplicationFactor}
	for i := range in.ReplicaAssignment {
		a := &in.ReplicaAssignment[i]
		n.Assignment = append(n.Assignment, controller.Assigned{Partition: a.Partition, Replicas: nodeIDs(a.Replicas)})
	}
	for i := range in.Configs {
		n.Configs = append(n.Configs, controller.ConfigSet{Name: in.Configs[i].Name, Value: in.Configs[i].Value})
	}
	return n
}

func nodeIDs(in []int32) []kafka.NodeID {
	out := make([]kafka.NodeID, len(in))
	for i, id := range in {
		out[i] = kafka.NodeID(id)
	}
	return out
}

func refusedTopic(name string, code kafka.ErrorCode, why string) kmsg.CreateTopicsResponseTopic {
	r := kmsg.NewCreateTopicsResponseTopic()
	r.Topic, r.ErrorCode, r.NumPartitions, r.ReplicationFactor = name, int16(code), -1, -1
	r.Configs = []kmsg.CreateTopicsResponseTopicConfig{}
	if why != "" {
		r.ErrorMessage = &why
	}
	return r
}

func (t *Topics) createdTopic(c *controller.CreatedTopic, asked *kmsg.CreateTopicsRequestTopic, validated bool) kmsg.CreateTopicsResponseTopic {
	if !c.OK() {
		return refusedTopic(c.Name, c.Code, c.Message)
	}
	r := kmsg.NewCreateTopicsResponseTopic()
	r.Topic, r.TopicID, r.NumPartitions, r.ReplicationFactor = c.Name, c.ID, c.Partitions, c.Replicas
	overrides := map[string]string{}
	if validated {
		for i := range asked.Configs {
			if v := asked.Configs[i].Value; v != nil {
				overrides[asked.Configs[i].Name] = *v
			}
		}
	} else {
		overrides = t.image().Configs(image.TopicResource(c.Name)).Map()
	}
	r.Configs = t.effectiveConfigs(overrides)
	return r
}

// effectiveConfigs lists every topic key with the value that a topic with these overrides has.
func (t *Topics) effectiveConfigs(overrides map[string]string) []kmsg.CreateTopicsResponseTopicConfig {
	layers := t.settings.TopicLayers()
	out := []kmsg.CreateTopicsResponseTopicConfig{}
	for _, key := range config.Keys(config.Topic) {
		if key.Hidden {
			continue
		}
		v := layers.Resolve(key, overrides, config.SourceTopic)
		c := kmsg.NewCreateTopicsResponseTopicConfig()
		c.Name, c.Source, c.IsSensitive = key.Name, int8(v.Source), key.Sensitive()
		if !v.Null && !key.Sensitive() {
			c.Value = &v.Value
		}
		out = append(out, c)
	}
	return out
}
