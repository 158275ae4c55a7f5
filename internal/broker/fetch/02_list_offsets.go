package fetch

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/wire"
)

// firstVersion is the ListOffsets version that introduced each special timestamp; an older request that uses one gets
// UNSUPPORTED_VERSION for that partition.
var firstVersion = map[int64]int16{
	partition.MaxTimestamp:          7,  // KIP-734
	partition.EarliestLocal:         8,  // KIP-405
	partition.LatestTiered:          9,  // KIP-1005
	partition.EarliestPendingUpload: 11, // KIP-1023
}

// ListOffsets serves ListOffsets v1-11: an offset by timestamp or by special timestamp, with its leader epoch. A
// timestamp after the last record answers -1 and -1 without an error. Under read_committed "latest" is the last stable
// offset. A new leader whose high watermark has not caught up answers OFFSET_NOT_AVAILABLE (KIP-207), before v5
// LEADER_NOT_AVAILABLE. A partition named twice gets INVALID_REQUEST, once.
// To a follower "latest" is the log end.
func (f *Fetches) ListOffsets(req *wire.Request) {
	in := req.Body.(*kmsg.ListOffsetsRequest)
	out := in.ResponseKind().(*kmsg.ListOffsetsResponse)
	asked := make(map[kafka.TopicPartition]int, len(in.Topics))
	for i := range in.Topics {
		for j := range in.Topics[i].Partitions {
			asked[kafka.TopicPartition{Topic: in.Topics[i].Topic, Partition: in.Topics[i].Partitions[j].Partition}]++
		}
	}
	for i := range in.Topics {
		t := &in.Topics[i]
		rt := kmsg.NewListOffsetsResponseTopic()
		rt.Topic = t.Topic
		for j := range t.Partitions {
			name := kafka.TopicPartition{Topic: t.Topic, Partition: t.Partitions[j].Partition}
			if asked[name] > 0 {
				rt.Partitions = append(rt.Partitions, f.listOffset(in, name, &t.Partitions[j], asked[name] > 1))
			}
			asked[name] = 0
		}
		if len(rt.Partitions) > 0 { // Kafka gathers partitions by topic: one without any does not appear
			out.Topics = append(out.Topics, rt)
		}
	}
	req.Reply(wire.Reply{Message: out})
}

func (f *Fetches) listOffset(in *kmsg.ListOffsetsRequest, name kafka.TopicPartition, p *kmsg.ListOffsetsRequestTopicPartition, again bool) kmsg.ListOffsetsResponseTopicPartition {
	r := kmsg.NewListOffsetsResponseTopicPartition()
	r.Partition, r.Timestamp, r.Offset, r.LeaderEpoch = p.Partition, -1, int64(kafka.NoOffset), int32(kafka.NoLeaderEpoch)
	if again {
		r.ErrorCode = int16(kafka.ErrInvalidRequest)
		return r
	}
	if in.Version < firstVersion[p.Timestamp] {
		r.ErrorCode = int16(kafka.ErrUnsupportedVersion)
		return r
	}
	found, err := f.partitions.ByName(name)
	if err == nil {
		var at partition.Found
		if in.ReplicaID >= 0 && p.Timestamp == partition.Latest {
			at, err = partition.AsLeader(found).Latest(kafka.LeaderEpoch(p.CurrentLeaderEpoch))
		} else {
			at, err = found.OffsetAt(p.Timestamp, in.IsolationLevel == 1, kafka.LeaderEpoch(p.CurrentLeaderEpoch))
		}
		r.Timestamp, r.Offset, r.LeaderEpoch = at.TimestampMs, int64(at.Offset), int32(at.Epoch)
	}
	if err != nil {
		code := fault.CodeOf(err)
		if code == kafka.ErrOffsetNotAvailable && in.Version < 5 {
			code = kafka.ErrLeaderNotAvailable
		}
		r.ErrorCode, r.Timestamp, r.Offset, r.LeaderEpoch = int16(code), -1, int64(kafka.NoOffset), int32(kafka.NoLeaderEpoch)
	}
	return r
}
