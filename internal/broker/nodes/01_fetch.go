package nodes

import (
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/wire"
)

// Fetch serves Fetch v4-18 of __cluster_metadata-0, as a controller's listener does for who has no vote (KIP-595; the follower's
// directory by KIP-853): committed batches, or where the logs part, or which snapshot to take first (KIP-630). Who leads stands in
// every answer. There are no sessions here: a follower asks for one partition.
//
// Apache Kafka refuses a follower without a last epoch. One of ours that has nothing, not even the log's beginning, says -1 and is
// given a snapshot.
func (n *Nodes) Fetch(req *wire.Request) {
	f := &req.Fetch
	if named := string(f.ClusterID); f.ClusterID != nil && n.otherCluster(&named) {
		refuseFetch(req, kafka.ErrInconsistentClusterId)
		return
	}
	var asked wire.FetchedPartition
	for p := range f.All {
		asked = p
	}
	if f.Partitions != 1 || asked.Partition != 0 || asked.TopicID != kafka.MetadataTopicID && string(asked.Topic) != kafka.MetadataTopic ||
		f.MaxWaitMs < 0 || asked.FetchOffset < 0 {
		refuseFetch(req, kafka.ErrInvalidRequest)
		return
	}
	version := req.Version
	pull := Pull{
		From:  Follower{Node: kafka.NodeID(f.ReplicaID), Directory: asked.Directory},
		Epoch: asked.CurrentEpoch, Offset: asked.FetchOffset, LastEpoch: asked.LastFetchedEpoch,
		MaxBytes: int(max(0, min(asked.MaxBytes, f.MaxBytes))), MaxWait: time.Duration(f.MaxWaitMs) * time.Millisecond,
	}
	n.o.Quorum.Fetch(pull, func(got Pulled, err error) {
		answer := &wire.FetchAnswer{Partitions: []wire.FetchPartition{n.fetched(&got, err)}}
		req.Reply(wire.Reply{Payload: wire.EncodeFetch(version, answer)})
	})
}

func refuseFetch(req *wire.Request, code kafka.ErrorCode) {
	req.Reply(wire.Reply{Payload: wire.EncodeFetch(req.Version, &wire.FetchAnswer{ErrorCode: code})})
}

// fetched lays out what the quorum says.
func (n *Nodes) fetched(got *Pulled, err error) wire.FetchPartition {
	out := wire.FetchPartition{
		Topic: kafka.MetadataTopic, TopicID: kafka.MetadataTopicID, ErrorCode: fault.CodeOf(err), HighWatermark: got.HighWatermark,
		LastStable: kafka.NoOffset, LogStart: got.LogStart, PreferredReplica: kafka.NoNode,
		Leader: &wire.LeaderHint{ID: got.Leader, Epoch: got.Epoch},
	}
	if e, ok := n.endpoint(got.Endpoints); ok {
		out.Leader.Host, out.Leader.Port = e.Host, int32(e.Port)
	}
	if err != nil {
		out.HighWatermark, out.LogStart = kafka.NoOffset, kafka.NoOffset
		return out
	}
	if d := got.Diverging; d != nil {
		out.Diverging = &wire.EpochEnd{Epoch: d.Epoch, EndOffset: d.End}
	}
	if s := got.Snapshot; s != nil {
		out.Snapshot = &wire.SnapshotID{EndOffset: s.End, Epoch: s.Epoch}
	}
	for _, b := range got.Batches {
		out.Records = append(out.Records, wire.Piece{Bytes: b})
	}
	return out
}
