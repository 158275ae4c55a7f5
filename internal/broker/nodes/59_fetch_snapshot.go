package nodes

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/wire"
)

// FetchSnapshot serves FetchSnapshot v0-1 (KIP-630; the leader's endpoint from v1 on, KIP-853): a follower takes a snapshot of the
// metadata log piece by piece.
func (n *Nodes) FetchSnapshot(req *wire.Request) {
	in := req.Body.(*kmsg.FetchSnapshotRequest)
	out := in.ResponseKind().(*kmsg.FetchSnapshotResponse)
	refuse := func(code kafka.ErrorCode) {
		out.ErrorCode = int16(code)
		req.Reply(wire.Reply{Message: out})
	}
	if n.otherCluster(in.ClusterID) {
		refuse(kafka.ErrInconsistentClusterId)
		return
	}
	if len(in.Topics) != 1 || len(in.Topics[0].Partitions) != 1 {
		refuse(kafka.ErrInvalidRequest)
		return
	}
	asked := &in.Topics[0].Partitions[0]
	p := kmsg.NewFetchSnapshotResponseTopicPartition()
	p.Partition, p.Position = asked.Partition, asked.Position
	p.SnapshotID.EndOffset, p.SnapshotID.Epoch = asked.SnapshotID.EndOffset, asked.SnapshotID.Epoch
	p.Bytes = []byte{}
	answer := func(err error) {
		p.ErrorCode = int16(fault.CodeOf(err))
		t := kmsg.NewFetchSnapshotResponseTopic()
		t.Topic = in.Topics[0].Topic
		t.Partitions = append(t.Partitions, p)
		out.Topics = append(out.Topics, t)
		req.Reply(wire.Reply{Message: out})
	}
	if in.Topics[0].Topic != kafka.MetadataTopic || asked.Partition != 0 {
		answer(fault.New("nodes.FetchSnapshot", kafka.ErrUnknownTopicOrPartition, "This server does not host this topic-partition."))
		return
	}
	n.o.Quorum.FetchSnapshot(PullChunk{
		From:     Follower{Node: kafka.NodeID(in.ReplicaID), Directory: asked.ReplicaDirectoryID},
		Epoch:    kafka.LeaderEpoch(asked.CurrentLeaderEpoch),
		Snapshot: SnapshotID{End: kafka.Offset(asked.SnapshotID.EndOffset), Epoch: kafka.LeaderEpoch(asked.SnapshotID.Epoch)},
		Position: asked.Position, MaxBytes: int(max(0, in.MaxBytes)),
	}, func(c Chunk, err error) {
		p.CurrentLeader.LeaderID, p.CurrentLeader.LeaderEpoch = int32(c.Leader), int32(c.Epoch)
		if e, ok := n.endpoint(c.Endpoints); ok && in.Version >= 1 {
			at := kmsg.NewFetchSnapshotResponseNodeEndpoint()
			at.NodeID, at.Host, at.Port = int32(c.Leader), e.Host, e.Port
			out.NodeEndpoints = append(out.NodeEndpoints, at)
		}
		if err == nil {
			p.Size, p.Bytes = c.Size, c.Bytes
		}
		answer(err)
	})
}
