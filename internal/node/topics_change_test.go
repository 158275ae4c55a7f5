package node

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

func said(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func TestCreatePartitionsOneByOne(t *testing.T) {
	r := newRig(t)
	r.create("a", 3)
	const count, assignment = kafka.ErrInvalidPartitions, kafka.ErrInvalidReplicaAssignment
	for _, version := range []int16{0, 3} {
		for _, c := range []struct {
			what, topic string
			count       int32
			assigned    [][]int32
			code        kafka.ErrorCode
			why         string
		}{
			{"the same", "a", 3, nil, count, "Topic already has 3 partition(s)."},
			{"fewer", "a", 2, nil, count, "The topic a currently has 3 partition(s); 2 would not be an increase."},
			{"below none", "a", -1, nil, count, "The topic a currently has 3 partition(s); -1 would not be an increase."},
			{"fewer, assigned", "a", 2, [][]int32{{1}}, count, "The topic a currently has 3 partition(s); 2 would not be an increase."},
			{"too few assigned", "a", 5, [][]int32{{1}}, assignment, "Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified."},
			{"too many assigned", "a", 4, [][]int32{{1}, {1}}, assignment, "Attempted to add 1 additional partition(s), but only 2 assignment(s) were specified."},
			{"none assigned", "a", 4, [][]int32{}, assignment, "Attempted to add 1 additional partition(s), but only 0 assignment(s) were specified."},
			{"assigned to nobody", "a", 4, [][]int32{{}}, assignment, "The manual partition assignment includes an empty replica list."},
			{"assigned twice to one", "a", 4, [][]int32{{1, 1}}, assignment, "The manual partition assignment includes the broker 1 more than once."},
			{"assigned to an unknown broker", "a", 4, [][]int32{{9}}, assignment, "The manual partition assignment includes broker 9, but no such broker is registered."},
			{"unknown", "missing", 4, nil, kafka.ErrUnknownTopicOrPartition, ""},
			{"a bad name", "bad name", 4, nil, kafka.ErrUnknownTopicOrPartition, ""},
			{"only a question", "a", 4, [][]int32{{1}}, kafka.ErrNone, ""},
		} {
			req := growth(c.topic, c.count)
			req.Version, req.ValidateOnly = version, true
			if c.assigned != nil {
				req.Topics[0].Assignment = []kmsg.CreatePartitionsRequestTopicAssignment{}
			}
			for _, list := range c.assigned {
				a := kmsg.NewCreatePartitionsRequestTopicAssignment()
				a.Replicas = list
				req.Topics[0].Assignment = append(req.Topics[0].Assignment, a)
			}
			got := ask[*kmsg.CreatePartitionsResponse](r, req).Topics
			if len(got) != 1 || got[0].Topic != c.topic || kafka.ErrorCode(got[0].ErrorCode) != c.code || said(got[0].ErrorMessage) != c.why {
				t.Errorf("v%d %s: %+v, want %v %q", version, c.what, got, c.code, c.why)
			}
		}
	}
	twice := growth("a", 4)
	twice.Topics = append(twice.Topics, twice.Topics[0], growth("missing", 2).Topics[0])
	got := ask[*kmsg.CreatePartitionsResponse](r, twice).Topics
	if len(got) != 2 || kafka.ErrorCode(got[0].ErrorCode) != kafka.ErrInvalidRequest || said(got[0].ErrorMessage) != "Duplicate topic name." {
		t.Errorf("named twice: %+v", got)
	}
	if got := ask[*kmsg.CreatePartitionsResponse](r, growth("a", 30_000)).Topics[0]; kafka.ErrorCode(got.ErrorCode) != kafka.ErrPolicyViolation {
		t.Errorf("far too many: %+v", got) // Apache Kafka makes half of them and answers UNKNOWN_SERVER_ERROR
	}
	if n := len(ask[*kmsg.MetadataResponse](r, metadata(9, false, "a")).Topics[0].Partitions); n != 3 {
		t.Errorf("nothing was to change, and there are %d partitions", n)
	}
}

// deletion names topics by name, by id, or by neither.
func deletion(version int16, refs ...kmsg.DeleteTopicsRequestTopic) *kmsg.DeleteTopicsRequest {
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Version, req.TimeoutMillis = version, 5000
	for _, ref := range refs {
		if version < 6 {
			req.TopicNames = append(req.TopicNames, *ref.Topic)
		} else {
			req.Topics = append(req.Topics, ref)
		}
	}
	return req
}

func TestDeleteTopicsOneByOne(t *testing.T) {
	r := newRig(t)
	id := r.create("a", 1)
	named := func(name string) kmsg.DeleteTopicsRequestTopic { return kmsg.DeleteTopicsRequestTopic{Topic: &name} }
	byID := func(id kafka.TopicID) kmsg.DeleteTopicsRequestTopic {
		return kmsg.DeleteTopicsRequestTopic{TopicID: id}
	}
	both := named("a")
	both.TopicID = id
	strange := kafka.TopicID{9}
	for _, c := range []struct {
		what    string
		version int16
		refs    []kmsg.DeleteTopicsRequestTopic
		want    string // code, name, id and message of each answer
	}{
		{"name and id of one", 6, []kmsg.DeleteTopicsRequestTopic{both}, "[INVALID_REQUEST a id You may not specify both topic name and topic id.]"},
		{"neither", 6, []kmsg.DeleteTopicsRequestTopic{{}}, "[INVALID_REQUEST null none Neither topic name nor id were specified.]"},
		{"an empty name", 6, []kmsg.DeleteTopicsRequestTopic{named("")}, "[UNKNOWN_TOPIC_OR_PARTITION  none This server does not host this topic-partition.]"},
		{"an empty name", 1, []kmsg.DeleteTopicsRequestTopic{named("")}, "[UNKNOWN_TOPIC_OR_PARTITION  none ]"},
		{"a name twice", 1, []kmsg.DeleteTopicsRequestTopic{named("a"), named("a")}, "[INVALID_REQUEST a none ]"},
		{"a name twice", 5, []kmsg.DeleteTopicsRequestTopic{named("a"), named("a")}, "[INVALID_REQUEST a none Duplicate topic name.]"},
		{"a name twice", 6, []kmsg.DeleteTopicsRequestTopic{named("a"), named("a")}, "[INVALID_REQUEST a none Duplicate topic name.]"},
		{"an id twice", 6, []kmsg.DeleteTopicsRequestTopic{byID(id), byID(id)}, "[INVALID_REQUEST null id Duplicate topic id.]"},
		{"by name and by id", 6, []kmsg.DeleteTopicsRequestTopic{named("a"), byID(id)}, "[INVALID_REQUEST a id The provided topic name maps to an ID that was already supplied.]"},
		{"an unknown id", 6, []kmsg.DeleteTopicsRequestTopic{byID(strange)}, "[UNKNOWN_TOPIC_ID null strange This server does not host this topic ID.]"},
		{"the metadata log", 6, []kmsg.DeleteTopicsRequestTopic{named("__cluster_metadata")}, "[UNKNOWN_TOPIC_OR_PARTITION __cluster_metadata none This server does not host this topic-partition.]"},
		{"nothing", 6, nil, ""},
		{"one of two", 6, []kmsg.DeleteTopicsRequestTopic{named("missing"), byID(id)},
			"[UNKNOWN_TOPIC_OR_PARTITION missing none This server does not host this topic-partition.][NONE a id ]"},
	} {
		got := ""
		for _, d := range ask[*kmsg.DeleteTopicsResponse](r, deletion(c.version, c.refs...)).Topics {
			name, which := "null", map[kafka.TopicID]string{{}: "none", id: "id", strange: "strange"}[d.TopicID]
			if d.Topic != nil {
				name = *d.Topic
			}
			got += fmt.Sprintf("[%v %s %s %s]", kafka.ErrorCode(d.ErrorCode), name, which, said(d.ErrorMessage))
		}
		if got != c.want {
			t.Errorf("v%d %s:\n got %s\nwant %s", c.version, c.what, got, c.want)
		}
	}
}

func TestDeletingCanBeSwitchedOff(t *testing.T) {
	r := newRig(t, "delete.topic.enable", "false")
	r.create("a", 1)
	name := "a"
	for version, want := range map[int16]kafka.ErrorCode{1: kafka.ErrInvalidRequest, 3: kafka.ErrTopicDeletionDisabled, 6: kafka.ErrTopicDeletionDisabled} {
		got := ask[*kmsg.DeleteTopicsResponse](r, deletion(version, kmsg.DeleteTopicsRequestTopic{Topic: &name})).Topics
		if len(got) != 1 || kafka.ErrorCode(got[0].ErrorCode) != want || *got[0].Topic != "a" {
			t.Errorf("v%d: %+v", version, got)
		}
	}
}

func TestDeleteRecordsOneByOne(t *testing.T) {
	r := newRig(t)
	r.create("a", 1)
	r.create("compacted", 1, "cleanup.policy", "compact")
	r.create("both", 1, "cleanup.policy", "compact,delete")
	r.create("__transaction_state", 1)
	r.fill("a", 4, 10)
	for _, version := range []int16{0, 2} {
		for _, c := range []struct {
			topic     string
			partition int32
			offset    int64
			low       int64
			code      kafka.ErrorCode
		}{
			{"a", 0, 5, -1, kafka.ErrOffsetOutOfRange},
			{"a", 0, -2, -1, kafka.ErrOffsetOutOfRange},
			{"a", 0, 2, 2, kafka.ErrNone},
			{"a", 0, 1, 2, kafka.ErrNone}, // the start never goes back
			{"a", 1, 0, -1, kafka.ErrUnknownTopicOrPartition},
			{"missing", 0, 0, -1, kafka.ErrUnknownTopicOrPartition},
			{"bad name", 0, 0, -1, kafka.ErrUnknownTopicOrPartition},
			{"__consumer_offsets", 0, 0, -1, kafka.ErrUnknownTopicOrPartition},
			{"__transaction_state", 0, 0, -1, kafka.ErrInvalidTopicException},
			{"compacted", 0, 0, -1, kafka.ErrPolicyViolation},
			{"both", 0, 0, 0, kafka.ErrNone},
		} {
			req := kmsg.NewPtrDeleteRecordsRequest()
			req.Version, req.TimeoutMillis = version, 1000
			topic := kmsg.NewDeleteRecordsRequestTopic()
			topic.Topic = c.topic
			p := kmsg.NewDeleteRecordsRequestTopicPartition()
			p.Partition, p.Offset = c.partition, c.offset
			topic.Partitions = append(topic.Partitions, p)
			req.Topics = append(req.Topics, topic)
			got := ask[*kmsg.DeleteRecordsResponse](r, req).Topics[0].Partitions[0]
			if kafka.ErrorCode(got.ErrorCode) != c.code || got.LowWatermark != c.low {
				t.Errorf("v%d up to %d of %s-%d: low watermark %d, %v; want %d, %v", version, c.offset, c.topic, c.partition,
					got.LowWatermark, kafka.ErrorCode(got.ErrorCode), c.low, c.code)
			}
		}
	}
	req := kmsg.NewPtrDeleteRecordsRequest()
	topic := kmsg.NewDeleteRecordsRequestTopic()
	topic.Topic = "a"
	all := kmsg.NewDeleteRecordsRequestTopicPartition()
	all.Offset = -1
	topic.Partitions = append(topic.Partitions, all)
	req.Topics = append(req.Topics, topic)
	for range 2 {
		if got := ask[*kmsg.DeleteRecordsResponse](r, req).Topics[0].Partitions[0]; got.ErrorCode != 0 || got.LowWatermark != 4 {
			t.Errorf("up to the high watermark: %+v", got)
		}
	}
	if p := r.read("a", 0, 4); p.ErrorCode != 0 || p.LogStartOffset != 4 || p.HighWatermark != 4 {
		t.Errorf("an empty partition is read at its end: %+v", p)
	}
}
