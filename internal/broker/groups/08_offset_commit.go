package groups

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group"
	"github.com/milena-io/milena/internal/machine/group/offsets"
	"github.com/milena-io/milena/internal/wire"
)

// OffsetCommit serves OffsetCommit v2-10: retention of its own in v2-4 (KIP-211 ended it), leader epochs from v6
// (KIP-320), static members from v7 (KIP-345), GROUP_ID_NOT_FOUND from v9 (KIP-848), topic ids from v10 (KIP-516).
// A partition that does not exist gets its own error and does not disturb the others; an error of the group is told
// for every partition that was tried. The answer leaves when the commit is replicated.
func (g *Groups) OffsetCommit(req *wire.Request) {
	in := req.Body.(*kmsg.OffsetCommitRequest)
	out := in.ResponseKind().(*kmsg.OffsetCommitResponse)
	cmd := &group.Commit{
		Group: in.Group, MemberID: in.MemberID, InstanceID: in.InstanceID, Generation: in.Generation, RetentionMs: -1,
		MissingGroup: kafka.ErrIllegalGeneration,
	}
	if in.Version <= 4 {
		cmd.RetentionMs = in.RetentionTimeMillis
	}
	if in.Version >= 9 {
		cmd.MissingGroup = kafka.ErrGroupIdNotFound
	}
	var tried []place // where in the answer each offset of the command stands
	for _, t := range in.Topics {
		name, id, partitions, bad := g.topicOf(in.Version, t.Topic, t.TopicID)
		ot := kmsg.NewOffsetCommitResponseTopic()
		ot.Topic, ot.TopicID = t.Topic, t.TopicID
		for _, p := range t.Partitions {
			op := kmsg.NewOffsetCommitResponseTopicPartition()
			op.Partition = p.Partition
			switch {
			case bad != kafka.ErrNone:
				op.ErrorCode = int16(bad)
			case p.Partition < 0 || p.Partition >= partitions:
				op.ErrorCode = int16(kafka.ErrUnknownTopicOrPartition)
			default:
				tried = append(tried, place{len(out.Topics), len(ot.Partitions)})
				cmd.Offsets = append(cmd.Offsets, group.CommitOffset{
					Partition: offsets.Partition{Topic: name, Partition: p.Partition}, TopicID: id,
					Offset: kafka.Offset(p.Offset), LeaderEpoch: kafka.LeaderEpoch(p.LeaderEpoch), Metadata: text(p.Metadata),
				})
			}
			ot.Partitions = append(ot.Partitions, op)
		}
		out.Topics = append(out.Topics, ot)
	}
	if len(tried) == 0 {
		req.Reply(wire.Reply{Message: out})
		return
	}
	g.coordinator.Submit(in.Group, cmd, func(reply any, err error) {
		for i, at := range tried {
			c := code(err)
			if err == nil {
				r := reply.(group.CommitReply)
				if c = int16(r.Err); r.Err == kafka.ErrNone {
					c = int16(r.Codes[i])
				}
			}
			out.Topics[at.topic].Partitions[at.partition].ErrorCode = c
		}
		req.Reply(wire.Reply{Message: out})
	})
}

// place is a partition's position in an answer.
type place struct{ topic, partition int }
