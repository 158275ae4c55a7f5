package cluster

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/wire"
)

const metadataTopic = "__cluster_metadata"

// DescribeQuorum serves DescribeQuorum v0-2 (KIP-595, KIP-836, KIP-853): who leads __cluster_metadata-0 and how far each
// voter and observer is. A question about any other partition is answered with UNKNOWN_TOPIC_OR_PARTITION for each.
func (c *Cluster) DescribeQuorum(req *wire.Request) {
	in := req.Body.(*kmsg.DescribeQuorumRequest)
	out := in.ResponseKind().(*kmsg.DescribeQuorumResponse)
	none, unknown := "", "This server does not host this topic-partition."
	out.ErrorMessage = &none
	if len(in.Topics) != 1 || in.Topics[0].Topic != metadataTopic || len(in.Topics[0].Partitions) != 1 || in.Topics[0].Partitions[0].Partition != 0 {
		for i := range in.Topics {
			rt := kmsg.NewDescribeQuorumResponseTopic()
			rt.Topic = in.Topics[i].Topic
			for _, p := range in.Topics[i].Partitions {
				rp := kmsg.NewDescribeQuorumResponseTopicPartition()
				rp.Partition, rp.ErrorCode, rp.ErrorMessage = p.Partition, int16(kafka.ErrUnknownTopicOrPartition), &unknown
				rt.Partitions = append(rt.Partitions, rp)
			}
			out.Topics = append(out.Topics, rt)
		}
		req.Reply(wire.Reply{Message: out})
		return
	}
	d := c.node.Quorum()
	rp := kmsg.NewDescribeQuorumResponseTopicPartition()
	rp.ErrorMessage = &none
	rp.LeaderID, rp.LeaderEpoch, rp.HighWatermark = int32(d.Leader), int32(d.Epoch), int64(d.HighWatermark)
	if !d.Leading {
		elsewhere := "For requests intended only for the leader, this error indicates that the broker is not the current leader."
		rp.ErrorCode, rp.ErrorMessage = int16(kafka.ErrNotLeaderOrFollower), &elsewhere
	}
	rp.CurrentVoters, rp.Observers = replicaStates(d.Voters), replicaStates(d.Observers)
	rt := kmsg.NewDescribeQuorumResponseTopic()
	rt.Topic = metadataTopic
	rt.Partitions = append(rt.Partitions, rp)
	out.Topics = append(out.Topics, rt)
	for _, v := range d.Voters {
		n := kmsg.NewDescribeQuorumResponseNode()
		n.NodeID = int32(v.ID)
		for _, e := range v.Endpoints {
			l := kmsg.NewDescribeQuorumResponseNodeListener()
			l.Name, l.Host, l.Port = e.Name, e.Host, e.Port
			n.Listeners = append(n.Listeners, l)
		}
		out.Nodes = append(out.Nodes, n)
	}
	req.Reply(wire.Reply{Message: out})
}

func replicaStates(in []QuorumReplica) []kmsg.DescribeQuorumResponseTopicPartitionReplicaState {
	out := make([]kmsg.DescribeQuorumResponseTopicPartitionReplicaState, 0, len(in))
	for _, r := range in {
		s := kmsg.NewDescribeQuorumResponseTopicPartitionReplicaState()
		s.ReplicaID, s.ReplicaDirectoryID, s.LogEndOffset = int32(r.ID), r.Directory, int64(r.End)
		s.LastFetchTimestamp, s.LastCaughtUpTimestamp = r.LastFetchMs, r.LastCaughtUpMs
		out = append(out, s)
	}
	return out
}
