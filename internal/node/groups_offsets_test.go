package node

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

// TestGroupsOffsetsInEveryVersion commits in each version and reads it back in each.
func TestGroupsOffsetsInEveryVersion(t *testing.T) {
	r := newGroupRig(t)
	id := r.create("t", 2)
	for v := int16(2); v <= 10; v++ {
		req := committing("t", 1, int64(100+v))
		req.Version, req.RetentionTimeMillis = v, -1
		if v >= 10 {
			req.Topics[0].Topic, req.Topics[0].TopicID = "", id
		}
		got := ask[*kmsg.OffsetCommitResponse](r, req).Topics[0]
		wantCode(t, got.Partitions[0].ErrorCode, kafka.ErrNone)
		if v < 10 && got.Topic != "t" || v >= 10 && got.TopicID != [16]byte(id) {
			t.Fatalf("v%d: %+v", v, got)
		}
		for f := int16(1); f <= 10; f++ {
			topic, code := r.offsets(f, "t", id, 0, 1)
			wantCode(t, code, kafka.ErrNone)
			none, one := topic[0], topic[1]
			wantEpoch := int32(-1)
			if f >= 5 && v >= 6 {
				wantEpoch = 0
			}
			if none.Offset != -1 || none.ErrorCode != 0 || *none.Metadata != "" || one.Offset != int64(100+v) || *one.Metadata != "m" || one.LeaderEpoch != wantEpoch {
				t.Fatalf("committed by v%d, read by v%d: %+v %+v", v, f, none, one)
			}
		}
	}
}

// offsets reads what group g committed for partitions of a topic, in any version.
func (r *rig) offsets(v int16, topic string, id kafka.TopicID, partitions ...int32) ([]kmsg.OffsetFetchResponseGroupTopicPartition, int16) {
	r.t.Helper()
	req := fetchingOffsets("g", topic, partitions...)
	req.Version = v
	if v >= 10 {
		req.Groups[0].Topics[0].Topic, req.Groups[0].Topics[0].TopicID = "", id
	}
	if v < 8 {
		req.Group = "g"
		req.Topics = []kmsg.OffsetFetchRequestTopic{{Topic: topic, Partitions: partitions}}
	}
	got := ask[*kmsg.OffsetFetchResponse](r, req)
	if v >= 8 {
		return got.Groups[0].Topics[0].Partitions, got.Groups[0].ErrorCode
	}
	var out []kmsg.OffsetFetchResponseGroupTopicPartition
	for _, p := range got.Topics[0].Partitions {
		out = append(out, kmsg.OffsetFetchResponseGroupTopicPartition{Partition: p.Partition, Offset: p.Offset,
			LeaderEpoch: p.LeaderEpoch, Metadata: p.Metadata, ErrorCode: p.ErrorCode})
	}
	return out, got.ErrorCode
}

func TestGroupsCommitErrorsArePerPartition(t *testing.T) {
	r := newGroupRig(t)
	r.create("t", 1)
	req := committing("t", 0, 5)
	req.Topics[0].Partitions = append(req.Topics[0].Partitions, req.Topics[0].Partitions[0], req.Topics[0].Partitions[0])
	req.Topics[0].Partitions[1].Partition = 7
	req.Topics[0].Partitions[2].Metadata = kmsg.StringPtr(strings.Repeat("x", 4097))
	req.Topics = append(req.Topics, committing("missing", 0, 5).Topics[0])
	got := ask[*kmsg.OffsetCommitResponse](r, req)
	var codes []kafka.ErrorCode
	for _, topic := range got.Topics {
		for _, p := range topic.Partitions {
			codes = append(codes, kafka.ErrorCode(p.ErrorCode))
		}
	}
	want := []kafka.ErrorCode{kafka.ErrNone, kafka.ErrUnknownTopicOrPartition, kafka.ErrOffsetMetadataTooLarge, kafka.ErrUnknownTopicOrPartition}
	if !slices.Equal(codes, want) || r.committed("t", 0) != 5 {
		t.Fatalf("%v, offset %d", codes, r.committed("t", 0))
	}
	v10 := committing("", 0, 5)
	v10.Version = 10
	v10.Topics[0].TopicID = [16]byte{9}
	wantCode(t, ask[*kmsg.OffsetCommitResponse](r, v10).Topics[0].Partitions[0].ErrorCode, kafka.ErrUnknownTopicId)
}

// TestGroupsCommitToAGroupThatIsNot: the code changed with version 9 (KIP-848).
func TestGroupsCommitToAGroupThatIsNot(t *testing.T) {
	r := newGroupRig(t)
	r.create("t", 1)
	for v, want := range map[int16]kafka.ErrorCode{8: kafka.ErrIllegalGeneration, 9: kafka.ErrGroupIdNotFound} {
		req := committing("t", 0, 1)
		req.Version, req.Generation, req.MemberID = v, 3, "m"
		wantCode(t, ask[*kmsg.OffsetCommitResponse](r, req).Topics[0].Partitions[0].ErrorCode, want)
	}
}

func TestSurface04OffsetFetchNullAndEmpty(t *testing.T) {
	r := newGroupRig(t)
	id := r.create("t", 2)
	r.create("u", 1)
	for _, c := range []*kmsg.OffsetCommitRequest{committing("t", 0, 1), committing("t", 1, 2), committing("u", 0, 3)} {
		wantCode(t, ask[*kmsg.OffsetCommitResponse](r, c).Topics[0].Partitions[0].ErrorCode, kafka.ErrNone)
	}
	for v := int16(2); v <= 10; v++ {
		all := fetchingOffsets("g", "")
		all.Version, all.Group = v, "g"
		got := ask[*kmsg.OffsetFetchResponse](r, all)
		n := len(got.Topics)
		if v >= 8 {
			n = len(got.Groups[0].Topics)
			if first := got.Groups[0].Topics[0]; len(first.Partitions) != 2 || v >= 10 && first.TopicID != [16]byte(id) {
				t.Errorf("v%d: %+v", v, first)
			}
		}
		if n != 2 {
			t.Errorf("v%d: null asks for all, got %d topics", v, n)
		}
		all.Topics, all.Groups[0].Topics = []kmsg.OffsetFetchRequestTopic{}, []kmsg.OffsetFetchRequestGroupTopic{}
		if got = ask[*kmsg.OffsetFetchResponse](r, all); len(got.Topics) != 0 || v >= 8 && len(got.Groups[0].Topics) != 0 {
			t.Errorf("v%d: an empty list asks for none: %+v", v, got)
		}
	}
}

func TestGroupsOffsetFetchOfSeveral(t *testing.T) {
	r := newGroupRig(t)
	r.create("t", 1)
	other := committing("t", 0, 8)
	other.Group = "h"
	for _, c := range []*kmsg.OffsetCommitRequest{committing("t", 0, 7), other} {
		wantCode(t, ask[*kmsg.OffsetCommitResponse](r, c).Topics[0].Partitions[0].ErrorCode, kafka.ErrNone)
	}
	for v := int16(8); v <= 9; v++ {
		req := fetchingOffsets("g", "t", 0)
		req.Version = v
		req.RequireStable = true
		req.Groups = append(req.Groups, fetchingOffsets("missing", "t", 0).Groups[0], fetchingOffsets("h", "t", 0).Groups[0])
		got := ask[*kmsg.OffsetFetchResponse](r, req).Groups
		if len(got) != 3 {
			t.Fatalf("%+v", got)
		}
		for i, want := range []int64{7, -1, 8} {
			if p := got[i].Topics[0].Partitions[0]; got[i].Group != req.Groups[i].Group || got[i].ErrorCode != 0 || p.ErrorCode != 0 || p.Offset != want {
				t.Errorf("v%d %s: %+v", v, got[i].Group, p)
			}
		}
	}
	unknown := fetchingOffsets("g", "", 0)
	unknown.Version = 10
	unknown.Groups[0].Topics[0].TopicID = [16]byte{9}
	if p := ask[*kmsg.OffsetFetchResponse](r, unknown).Groups[0].Topics[0].Partitions[0]; kafka.ErrorCode(p.ErrorCode) != kafka.ErrUnknownTopicId || p.Offset != -1 {
		t.Errorf("%+v", p)
	}
}

// TestSurface18OffsetsOfADeletedTopic: they go with it, and are not those of a new topic of the same name.
func TestSurface18OffsetsOfADeletedTopic(t *testing.T) {
	r := newGroupRig(t)
	r.create("t", 1)
	wantCode(t, ask[*kmsg.OffsetCommitResponse](r, committing("t", 0, 7)).Topics[0].Partitions[0].ErrorCode, kafka.ErrNone)
	del := kmsg.NewPtrDeleteTopicsRequest()
	del.Version, del.TopicNames, del.TimeoutMillis = 5, []string{"t"}, 1000
	wantCode(t, ask[*kmsg.DeleteTopicsResponse](r, del).Topics[0].ErrorCode, kafka.ErrNone)
	id := r.create("t", 1)
	r.w.Run(time.Second)
	for v := int16(1); v <= 10; v++ {
		if got, _ := r.offsets(v, "t", id, 0); got[0].Offset != -1 || got[0].ErrorCode != 0 {
			t.Fatalf("v%d: %+v", v, got)
		}
	}
	if d := r.describe("g"); d.State == "Stable" {
		t.Fatalf("%+v", d)
	}
}

func TestGroupsOffsetDelete(t *testing.T) {
	r := newGroupRig(t)
	r.create("t", 1)
	r.create("u", 1)
	for _, topic := range []string{"t", "u"} {
		wantCode(t, ask[*kmsg.OffsetCommitResponse](r, committing(topic, 0, 7)).Topics[0].Partitions[0].ErrorCode, kafka.ErrNone)
	}
	del := func(group string, topics ...string) *kmsg.OffsetDeleteResponse {
		req := kmsg.NewPtrOffsetDeleteRequest()
		req.Group = group
		for _, topic := range topics {
			req.Topics = append(req.Topics, kmsg.OffsetDeleteRequestTopic{Topic: topic,
				Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: 0}}})
		}
		return ask[*kmsg.OffsetDeleteResponse](r, req)
	}
	wantCode(t, del("", "t").ErrorCode, kafka.ErrInvalidGroupId)
	wantCode(t, del("missing", "t").ErrorCode, kafka.ErrGroupIdNotFound)
	got := del("g", "t", "none")
	wantCode(t, got.ErrorCode, kafka.ErrNone)
	wantCode(t, got.Topics[0].Partitions[0].ErrorCode, kafka.ErrNone)
	wantCode(t, got.Topics[1].Partitions[0].ErrorCode, kafka.ErrUnknownTopicOrPartition)
	if r.committed("t", 0) != -1 || r.committed("u", 0) != 7 {
		t.Fatal("the wrong offset is gone")
	}
	m := r.member()
	join := m.join()
	m.joined(join)
	m.sync(m.id)
	wantCode(t, del("g", "u").Topics[0].Partitions[0].ErrorCode, kafka.ErrGroupSubscribedToTopic) // its metadata is unreadable: it may read anything
	connect := r.member().joining()
	connect.Group, connect.ProtocolType, connect.Version = "c", "connect", 3
	wantCode(t, ask[*kmsg.JoinGroupResponse](r, connect).ErrorCode, kafka.ErrNone)
	wantCode(t, del("c", "u").ErrorCode, kafka.ErrNonEmptyGroup)
}

// TestSurface20OffsetsOutliveNobody: an empty group's offsets go after offsets.retention.minutes, a live member's stay.
func TestSurface20OffsetsOutliveNobody(t *testing.T) {
	r := newGroupRig(t, "offsets.retention.minutes", "60")
	r.create("t", 1)
	wantCode(t, ask[*kmsg.OffsetCommitResponse](r, committing("t", 0, 7)).Topics[0].Partitions[0].ErrorCode, kafka.ErrNone)
	r.w.Run(50 * time.Minute)
	if got := r.committed("t", 0); got != 7 {
		t.Fatalf("offset %d before its time", got)
	}
	r.w.Run(30 * time.Minute)
	if got := r.committed("t", 0); got != -1 {
		t.Fatalf("offset %d after its time", got)
	}
	if d := r.describe("g"); d.State != "Dead" {
		t.Fatalf("%+v", d)
	}
}

// TestGroupsFollowTheTopicsBatchSize: the log holds the coordinator to max.message.bytes as it is now.
func TestGroupsFollowTheTopicsBatchSize(t *testing.T) {
	r := newGroupRig(t)
	r.create("t", 100)
	alter := kmsg.NewPtrIncrementalAlterConfigsRequest()
	res := kmsg.NewIncrementalAlterConfigsRequestResource()
	res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeTopic, kafka.OffsetsTopic
	res.Configs = []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: "max.message.bytes", Value: kmsg.StringPtr("2000")}}
	alter.Resources = append(alter.Resources, res)
	wantCode(t, ask[*kmsg.IncrementalAlterConfigsResponse](r, alter).Resources[0].ErrorCode, kafka.ErrNone)
	req := committing("t", 0, 1)
	for p := range int32(99) {
		one := req.Topics[0].Partitions[0]
		one.Partition = p + 1
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, one)
	}
	for _, p := range ask[*kmsg.OffsetCommitResponse](r, req).Topics[0].Partitions {
		wantCode(t, p.ErrorCode, kafka.ErrNone)
	}
}
