package topics

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/wire"
)

// CreatePartitions serves CreatePartitions v0-3 (KIP-195), on any broker: each topic grows to a count, or not.
func (t *Topics) CreatePartitions(req *wire.Request) {
	in := req.Body.(*kmsg.CreatePartitionsRequest)
	out := in.ResponseKind().(*kmsg.CreatePartitionsResponse)
	times := map[string]int{}
	for i := range in.Topics {
		times[in.Topics[i].Topic]++
	}
	cmd := controller.CreatePartitions{ValidateOnly: in.ValidateOnly}
	for i := range in.Topics {
		topic := &in.Topics[i]
		switch n := times[topic.Topic]; {
		case n == 1:
			cmd.Topics = append(cmd.Topics, growTopic(topic))
		case n > 1:
			times[topic.Topic] = 0
			out.Topics = append(out.Topics, grownTopic(topic.Topic, kafka.ErrInvalidRequest, "Duplicate topic name."))
		}
	}
	if len(cmd.Topics) == 0 {
		req.Reply(wire.Reply{Message: out})
		return
	}
	t.controller.Submit(timeout(in.TimeoutMillis), cmd, func(reply any, err error) {
		if err != nil {
			for _, g := range cmd.Topics {
				out.Topics = append(out.Topics, grownTopic(g.Name, fault.CodeOf(err), text(fault.MessageOf(err))))
			}
		} else {
			for _, g := range reply.([]controller.GrownTopic) {
				out.Topics = append(out.Topics, grownTopic(g.Name, g.Code, g.Message))
			}
		}
		req.Reply(wire.Reply{Message: out})
	})
}

func growTopic(in *kmsg.CreatePartitionsRequestTopic) controller.GrowTopic {
	g := controller.GrowTopic{Name: in.Topic, Count: in.Count}
	if in.Assignment != nil {
		g.Assignment = [][]kafka.NodeID{}
	}
	for i := range in.Assignment {
		g.Assignment = append(g.Assignment, nodeIDs(in.Assignment[i].Replicas))
	}
	return g
}

func grownTopic(name string, code kafka.ErrorCode, why string) kmsg.CreatePartitionsResponseTopic {
	r := kmsg.NewCreatePartitionsResponseTopic()
	r.Topic, r.ErrorCode = name, int16(code)
	if why != "" {
		r.ErrorMessage = &why
	}
	return r
}
