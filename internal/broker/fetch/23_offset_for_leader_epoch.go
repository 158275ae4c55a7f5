package fetch

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/wire"
)

// OffsetForLeaderEpoch serves OffsetForLeaderEpoch v2-4 (KIP-101, KIP-279, KIP-320): the largest epoch of this log at
// or below the one asked for, and the offset where it ends; -1 and -1 where the log knows none. A request from an older
// or newer leader epoch than ours is fenced; a replica's also where no replica is here, or none that knows of the epoch yet, and the
// metadata have a later one (ADR 0037). Clients hear NOT_LEADER_OR_FOLLOWER there, as from Apache Kafka.
func (f *Fetches) OffsetForLeaderEpoch(req *wire.Request) {
	in := req.Body.(*kmsg.OffsetForLeaderEpochRequest)
	out := in.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
	for i := range in.Topics {
		t := &in.Topics[i]
		rt := kmsg.NewOffsetForLeaderEpochResponseTopic()
		rt.Topic = t.Topic
		for j := range t.Partitions {
			p := &t.Partitions[j]
			rp := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			rp.Partition, rp.LeaderEpoch, rp.EndOffset = p.Partition, int32(kafka.NoLeaderEpoch), int64(kafka.NoOffset)
			name := kafka.TopicPartition{Topic: t.Topic, Partition: p.Partition}
			found, err := f.partitions.ByName(name)
			if err == nil {
				var end partition.EpochEnd
				end, err = found.EpochEnd(kafka.LeaderEpoch(p.LeaderEpoch), kafka.LeaderEpoch(p.CurrentLeaderEpoch))
				rp.LeaderEpoch, rp.EndOffset = int32(end.Epoch), int64(end.End)
			}
			if err != nil && in.ReplicaID >= 0 && p.CurrentLeaderEpoch >= 0 {
				if later := f.partitions.Succeeded(name, wire.TopicIDNamed(&p.UnknownTags), kafka.LeaderEpoch(p.CurrentLeaderEpoch)); later != nil {
					err = later
				}
			}
			rp.ErrorCode = int16(fault.CodeOf(err))
			if from, to, asked := wire.DigestAsked(&p.UnknownTags); asked && found != nil {
				f.digest(in.ReplicaID, found, from, to, &rp.UnknownTags)
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		out.Topics = append(out.Topics, rt)
	}
	req.Reply(wire.Reply{Message: out})
}

// digest answers a replica's question for the sum of what is here, on the leader and on followers alike. Where there is none, nothing is
// said.
func (f *Fetches) digest(asker int32, p *partition.Partition, from, to kafka.Offset, tags *kmsg.Tags) {
	if epoch, _ := f.partitions.Member(kafka.NodeID(asker)); asker < 0 || epoch < 0 {
		return
	}
	if d, err := partition.DigestOf(p, from, to); err == nil && d.Bytes > 0 {
		wire.TellDigest(tags, d.Next, d.Bytes, d.Sum)
	}
}
