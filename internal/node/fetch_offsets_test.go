package node

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

func TestListOffsetsOfAnEmptyPartition(t *testing.T) {
	r := newRig(t)
	r.create("a", 1)
	epoch := ask[*kmsg.MetadataResponse](r, asking(9, named("a"))).Topics[0].Partitions[0].LeaderEpoch
	for _, c := range []struct {
		version int16
		ts      int64
		want    string
	}{
		{1, -1, "NONE 0 -1 epoch -1"}, {1, -2, "NONE 0 -1 epoch -1"},
		{4, -1, fmt.Sprintf("NONE 0 -1 epoch %d", epoch)}, {11, -2, fmt.Sprintf("NONE 0 -1 epoch %d", epoch)},
		{11, -4, fmt.Sprintf("NONE 0 -1 epoch %d", epoch)},
		{11, -3, "NONE -1 -1 epoch -1"}, {11, -5, "NONE -1 -1 epoch -1"}, {11, -6, "NONE -1 -1 epoch -1"}, {11, 0, "NONE -1 -1 epoch -1"},
		{10, -6, "UNSUPPORTED_VERSION -1 -1 epoch -1"}, {8, -5, "UNSUPPORTED_VERSION -1 -1 epoch -1"}, {11, -7, "UNSUPPORTED_VERSION -1 -1 epoch -1"},
	} {
		p := ask[*kmsg.ListOffsetsResponse](r, listOffsets("a", c.version, c.ts)).Topics[0].Partitions[0]
		if got := fmt.Sprintf("%v %d %d epoch %d", kafka.ErrorCode(p.ErrorCode), p.Offset, p.Timestamp, p.LeaderEpoch); got != c.want {
			t.Errorf("v%d timestamp %d: %s, want %s", c.version, c.ts, got, c.want)
		}
	}
}

func TestListOffsetsOneByOne(t *testing.T) {
	r := newRig(t)
	r.create("a", 2)
	for _, version := range []int16{1, 4, 11} {
		req := listOffsets("a", version, -1)
		again := req.Topics[0].Partitions[0]
		other := again
		other.Partition = 1
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, again, other)
		got := ask[*kmsg.ListOffsetsResponse](r, req).Topics[0].Partitions
		if len(got) != 2 || kafka.ErrorCode(got[0].ErrorCode) != kafka.ErrInvalidRequest || got[0].Offset != -1 || got[1].ErrorCode != 0 || got[1].Partition != 1 {
			t.Errorf("v%d, a partition named twice: %+v", version, got)
		}
	}
	for what, c := range map[string]struct {
		topic     string
		partition int32
		epoch     int32
		want      kafka.ErrorCode
	}{
		"unknown topic":     {"missing", 0, -1, kafka.ErrUnknownTopicOrPartition},
		"unknown partition": {"a", 2, -1, kafka.ErrUnknownTopicOrPartition},
		"an epoch to come":  {"a", 0, 50, kafka.ErrUnknownLeaderEpoch},
		"the epoch":         {"a", 0, 0, kafka.ErrNone},
	} {
		for _, version := range []int16{4, 11} {
			req := listOffsets(c.topic, version, -2)
			req.Topics[0].Partitions[0].Partition, req.Topics[0].Partitions[0].CurrentLeaderEpoch = c.partition, c.epoch
			p := ask[*kmsg.ListOffsetsResponse](r, req).Topics[0].Partitions[0]
			if kafka.ErrorCode(p.ErrorCode) != c.want || c.want != 0 && (p.Offset != -1 || p.LeaderEpoch != -1) {
				t.Errorf("v%d %s: %+v, want %v", version, what, p, c.want)
			}
		}
	}
	r.kill() // which begins a new epoch
	req := listOffsets("a", 11, -2)
	req.Topics[0].Partitions[0].CurrentLeaderEpoch = 0
	wantCode(t, ask[*kmsg.ListOffsetsResponse](r, req).Topics[0].Partitions[0].ErrorCode, kafka.ErrFencedLeaderEpoch)
}

func TestOffsetForLeaderEpochOneByOne(t *testing.T) {
	r := newRig(t)
	r.create("a", 1)
	r.fill("a", 2, 10)
	r.kill()
	r.kill() // so that there is an epoch without records between
	now := ask[*kmsg.MetadataResponse](r, asking(9, named("a"))).Topics[0].Partitions[0].LeaderEpoch
	if now < 2 {
		t.Fatalf("epoch %d after two lives", now)
	}
	r.fill("a", 1, 10)
	for _, version := range []int16{2, 4} {
		for _, c := range []struct {
			what           string
			topic          string
			partition      int32
			current, asked int32
			want           string
		}{
			{"the first", "a", 0, -1, 0, "NONE 0 to 2"},
			{"one without records", "a", 0, -1, now - 1, "NONE 0 to 2"},
			{"this one", "a", 0, now, now, fmt.Sprintf("NONE %d to 3", now)},
			{"one to come", "a", 0, -1, now + 1, "NONE -1 to -1"},
			{"none", "a", 0, -1, -1, "NONE -1 to -1"},
			{"from an old leader", "a", 0, now - 1, 0, "FENCED_LEADER_EPOCH -1 to -1"},
			{"from a leader to come", "a", 0, now + 1, 0, "UNKNOWN_LEADER_EPOCH -1 to -1"},
			{"an unknown partition", "a", 1, -1, 0, "UNKNOWN_TOPIC_OR_PARTITION -1 to -1"},
			{"an unknown topic", "missing", 0, -1, 0, "UNKNOWN_TOPIC_OR_PARTITION -1 to -1"},
		} {
			req := kmsg.NewPtrOffsetForLeaderEpochRequest()
			req.Version, req.ReplicaID = version, -1
			p := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
			p.Partition, p.CurrentLeaderEpoch, p.LeaderEpoch = c.partition, c.current, c.asked
			req.Topics = []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: c.topic, Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{p}}}
			got := ask[*kmsg.OffsetForLeaderEpochResponse](r, req).Topics[0].Partitions[0]
			if s := fmt.Sprintf("%v %d to %d", kafka.ErrorCode(got.ErrorCode), got.LeaderEpoch, got.EndOffset); s != c.want {
				t.Errorf("v%d %s: %s, want %s", version, c.what, s, c.want)
			}
		}
	}
}
