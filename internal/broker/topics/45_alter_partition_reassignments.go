package topics

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/wire"
)

// AlterPartitionReassignments serves AlterPartitionReassignments v0-1 (KIP-455, KIP-860), on any broker: each partition sets out
// for other replicas, or with null for them calls back what is under way.
func (t *Topics) AlterPartitionReassignments(req *wire.Request) {
	in := req.Body.(*kmsg.AlterPartitionAssignmentsRequest)
	out := in.ResponseKind().(*kmsg.AlterPartitionAssignmentsResponse)
	out.AllowReplicationFactorChange = in.AllowReplicationFactorChange
	cmd := controller.AlterReassignments{AllowFactorChange: in.AllowReplicationFactorChange}
	for _, topic := range in.Topics {
		for _, p := range topic.Partitions {
			r := controller.Reassignment{TopicPartition: kafka.TopicPartition{Topic: topic.Topic, Partition: p.Partition}}
			if p.Replicas != nil {
				r.Replicas = append([]kafka.NodeID{}, nodeIDs(p.Replicas)...)
			}
			cmd.Partitions = append(cmd.Partitions, r)
		}
	}
	t.controller.Submit(timeout(in.TimeoutMillis), cmd, func(reply any, err error) {
		if err != nil {
			out.ErrorCode, out.ErrorMessage = int16(fault.CodeOf(err)), fault.MessageOf(err)
		} else {
			answerReassignments(out, in, reply.([]controller.AlteredReassignment))
		}
		req.Reply(wire.Reply{Message: out})
	})
}

// answerReassignments lays the results, which are in the order asked, under their topics.
func answerReassignments(out *kmsg.AlterPartitionAssignmentsResponse, in *kmsg.AlterPartitionAssignmentsRequest, done []controller.AlteredReassignment) {
	for _, topic := range in.Topics {
		rt := kmsg.NewAlterPartitionAssignmentsResponseTopic()
		rt.Topic = topic.Topic
		for range topic.Partitions {
			rp := kmsg.NewAlterPartitionAssignmentsResponseTopicPartition()
			rp.Partition, rp.ErrorCode = done[0].Partition, int16(done[0].Code)
			if m := done[0].Message; m != "" {
				rp.ErrorMessage = &m
			}
			rt.Partitions, done = append(rt.Partitions, rp), done[1:]
		}
		out.Topics = append(out.Topics, rt)
	}
}
