package groups

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group"
	"github.com/milena-io/milena/internal/machine/group/offsets"
	"github.com/milena-io/milena/internal/wire"
)

// OffsetDelete serves OffsetDelete v0 (KIP-496), never flexible: committed offsets of topics that the group does not
// subscribe to. An error of the group stands at the top and then no topics are told.
func (g *Groups) OffsetDelete(req *wire.Request) {
	in := req.Body.(*kmsg.OffsetDeleteRequest)
	out := in.ResponseKind().(*kmsg.OffsetDeleteResponse)
	cmd := &group.DeleteOffsets{Group: in.Group}
	var tried []place
	for _, t := range in.Topics {
		_, partitions, known := g.metadata.Topic(t.Topic)
		ot := kmsg.NewOffsetDeleteResponseTopic()
		ot.Topic = t.Topic
		for _, p := range t.Partitions {
			op := kmsg.NewOffsetDeleteResponseTopicPartition()
			op.Partition = p.Partition
			if !known || p.Partition < 0 || p.Partition >= partitions {
				op.ErrorCode = int16(kafka.ErrUnknownTopicOrPartition)
			} else {
				tried = append(tried, place{len(out.Topics), len(ot.Partitions)})
				cmd.Partitions = append(cmd.Partitions, offsets.Partition{Topic: t.Topic, Partition: p.Partition})
			}
			ot.Partitions = append(ot.Partitions, op)
		}
		out.Topics = append(out.Topics, ot)
	}
	g.coordinator.Submit(in.Group, cmd, func(reply any, err error) {
		out.ErrorCode = code(err)
		if err == nil {
			r := reply.(group.DeleteOffsetsReply)
			out.ErrorCode = int16(r.Err)
			for i, at := range tried {
				if r.Err == kafka.ErrNone {
					out.Topics[at.topic].Partitions[at.partition].ErrorCode = int16(r.Codes[i])
				}
			}
		}
		if out.ErrorCode != 0 {
			out.Topics = nil
		}
		req.Reply(wire.Reply{Message: out})
	})
}
