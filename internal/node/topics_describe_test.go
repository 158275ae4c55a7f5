package node

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

func named(name string) kmsg.MetadataRequestTopic { return kmsg.MetadataRequestTopic{Topic: &name} }

func byID(id kafka.TopicID) kmsg.MetadataRequestTopic { return kmsg.MetadataRequestTopic{TopicID: id} }

func asking(version int16, topics ...kmsg.MetadataRequestTopic) *kmsg.MetadataRequest {
	req := kmsg.NewPtrMetadataRequest()
	req.Version, req.Topics = version, topics
	return req
}

func TestMetadataByNameAndByID(t *testing.T) {
	r := newRig(t, "auto.create.topics.enable", "false")
	id := r.create("a", 2)
	both := named("a")
	both.TopicID = id
	for _, c := range []struct {
		what     string
		versions []int16
		topics   []kmsg.MetadataRequestTopic
		want     string // code, name and partitions of each answer
	}{
		{"by name", []int16{0, 1, 9, 13}, []kmsg.MetadataRequestTopic{named("a")}, "[NONE a 2]"},
		{"by name, twice", []int16{0, 13}, []kmsg.MetadataRequestTopic{named("a"), named("a")}, "[NONE a 2]"},
		{"unknown, twice", []int16{0, 13}, []kmsg.MetadataRequestTopic{named("b"), named("b")}, "[UNKNOWN_TOPIC_OR_PARTITION b 0]"},
		{"bad names", []int16{0, 13}, []kmsg.MetadataRequestTopic{named(""), named("a b")}, "[INVALID_TOPIC_EXCEPTION  0][INVALID_TOPIC_EXCEPTION a b 0]"},
		{"the metadata log", []int16{0, 13}, []kmsg.MetadataRequestTopic{named("__cluster_metadata")}, "[UNKNOWN_TOPIC_OR_PARTITION __cluster_metadata 0]"},
		{"by id", []int16{12, 13}, []kmsg.MetadataRequestTopic{byID(id)}, "[NONE a 2]"},
		{"by id, twice", []int16{12, 13}, []kmsg.MetadataRequestTopic{byID(id), byID(id)}, "[NONE a 2]"},
		{"by id and name", []int16{12, 13}, []kmsg.MetadataRequestTopic{byID(id), named("a")}, "[NONE a 2]"},
		{"by id with its name", []int16{12, 13}, []kmsg.MetadataRequestTopic{both}, "[NONE a 2]"},
		{"by an unknown id", []int16{12, 13}, []kmsg.MetadataRequestTopic{byID(id), byID(kafka.TopicID{5})}, "[NONE a 2][UNKNOWN_TOPIC_ID null 0]"},
		{"by id, too early", []int16{10, 11}, []kmsg.MetadataRequestTopic{both, named("a")}, "[INVALID_REQUEST a 0][INVALID_REQUEST a 0]"},
		{"by nothing, too early", []int16{10, 11}, []kmsg.MetadataRequestTopic{{}, named("a")}, "[INVALID_REQUEST  0][INVALID_REQUEST a 0]"},
	} {
		for _, version := range c.versions {
			got := ""
			for _, topic := range ask[*kmsg.MetadataResponse](r, asking(version, c.topics...)).Topics {
				name := "null"
				if topic.Topic != nil {
					name = *topic.Topic
				}
				got += fmt.Sprintf("[%v %s %d]", kafka.ErrorCode(topic.ErrorCode), name, len(topic.Partitions))
			}
			if got != c.want {
				t.Errorf("v%d %s: %s, want %s", version, c.what, got, c.want)
			}
		}
	}
	refused := ask[*kmsg.MetadataResponse](r, asking(11, kmsg.MetadataRequestTopic{}))
	if len(refused.Brokers) != 0 || refused.ControllerID != -1 || refused.ClusterID != nil {
		t.Errorf("a request that is refused learns nothing else: %+v", refused)
	}
}

func TestMetadataTellsWhoIsWhere(t *testing.T) {
	r := newRig(t, "broker.rack", "left")
	r.create("a", 1)
	for _, version := range []int16{0, 13} {
		got := ask[*kmsg.MetadataResponse](r, asking(version, named("a")))
		b, p := got.Brokers[0], got.Topics[0].Partitions[0]
		if b.NodeID != 1 || b.Host != "one" || b.Port != 9092 || version > 0 && (b.Rack == nil || *b.Rack != "left" || got.ControllerID != 1) {
			t.Errorf("v%d: broker %+v, controller %d", version, b, got.ControllerID)
		}
		if p.ErrorCode != 0 || p.Leader != 1 || fmt.Sprint(p.Replicas, p.ISR, p.OfflineReplicas) != "[1] [1] []" {
			t.Errorf("v%d: partition %+v", version, p)
		}
	}
	ops := asking(8, named("a"), named("missing"))
	ops.IncludeClusterAuthorizedOperations, ops.IncludeTopicAuthorizedOperations = true, true
	got := ask[*kmsg.MetadataResponse](r, ops)
	if got.AuthorizedOperations != 8096 || got.Topics[0].AuthorizedOperations != 3576 || got.Topics[1].AuthorizedOperations != 3576 {
		t.Errorf("operations %d, %d, %d", got.AuthorizedOperations, got.Topics[0].AuthorizedOperations, got.Topics[1].AuthorizedOperations)
	}
}

// A listener that the broker doesn't advertise shows no broker, and says so of each leader as each version can.
func TestMetadataOnAListenerWithoutBrokers(t *testing.T) {
	r := newRig(t)
	r.create("a", 1)
	c := r.connect("OTHER")
	for version, want := range map[int16]kafka.ErrorCode{0: kafka.ErrLeaderNotAvailable, 5: kafka.ErrLeaderNotAvailable, 6: kafka.ErrListenerNotFound, 13: kafka.ErrListenerNotFound} {
		got := askOn[*kmsg.MetadataResponse](c, asking(version, named("a")))
		p := got.Topics[0].Partitions[0]
		if len(got.Brokers) != 0 || version > 0 && got.ControllerID != -1 || kafka.ErrorCode(p.ErrorCode) != want || p.Leader != -1 {
			t.Errorf("v%d: brokers %+v, controller %d, partition %+v; want %v", version, got.Brokers, got.ControllerID, p, want)
		}
		replicas, offline := "[1] [1]", "[1]"
		if version == 0 {
			replicas = "[] []" // the oldest clients take any id they don't know for a fault
		}
		if fmt.Sprint(p.Replicas, p.ISR) != replicas || version >= 5 && fmt.Sprint(p.OfflineReplicas) != offline {
			t.Errorf("v%d: replicas %v, in sync %v, offline %v", version, p.Replicas, p.ISR, p.OfflineReplicas)
		}
	}
}

func TestAutomaticCreationKeepsOffInternalTopics(t *testing.T) {
	r := newRig(t)
	for _, version := range []int16{0, 13} { // before v4 a request cannot say no
		req := asking(version, named("__transaction_state"), named("__cluster_metadata"), named("__consumer_offsets"))
		req.AllowAutoTopicCreation = true
		for _, topic := range ask[*kmsg.MetadataResponse](r, req).Topics {
			if kafka.ErrorCode(topic.ErrorCode) != kafka.ErrUnknownTopicOrPartition || len(topic.Partitions) != 0 {
				t.Errorf("v%d: %s: %+v", version, *topic.Topic, topic)
			}
		}
	}
	if got := ask[*kmsg.MetadataResponse](r, asking(0, named("mine"))).Topics[0]; got.ErrorCode != 0 || len(got.Partitions) != 1 {
		t.Errorf("v0 makes a topic: %+v", got)
	}
}

func describing(limit int32, cursor *kmsg.DescribeTopicPartitionsRequestCursor, topics ...string) *kmsg.DescribeTopicPartitionsRequest {
	req := kmsg.NewPtrDescribeTopicPartitionsRequest()
	req.ResponsePartitionLimit, req.Cursor = limit, cursor
	for _, name := range topics {
		topic := kmsg.NewDescribeTopicPartitionsRequestTopic()
		topic.Topic = name
		req.Topics = append(req.Topics, topic)
	}
	return req
}

func from(topic string, partition int32) *kmsg.DescribeTopicPartitionsRequestCursor {
	return &kmsg.DescribeTopicPartitionsRequestCursor{Topic: topic, Partition: partition}
}

func TestDescribeTopicPartitionsInPages(t *testing.T) {
	r := newRig(t, "max.request.partition.size.limit", "6")
	for _, name := range []string{"a", "b", "d"} {
		r.create(name, 3)
	}
	for _, c := range []struct {
		what string
		req  *kmsg.DescribeTopicPartitionsRequest
		want string // code, topic and partitions of each answer, and the cursor
	}{
		{"in order of names", describing(100, nil, "x", "b"), "[NONE b 012][UNKNOWN_TOPIC_OR_PARTITION x ]"},
		{"all, up to the broker's own limit", describing(100, nil), "[NONE a 012][NONE b 012] then d 0"},
		{"a page within a topic", describing(2, nil), "[NONE a 01] then a 2"},
		{"over the end of a topic", describing(2, from("a", 2), "a", "b"), "[NONE a 2][NONE b 0] then b 1"},
		{"to the very end", describing(3, from("d", 0)), "[NONE d 012]"},
		{"a full page, and an unknown topic next", describing(3, nil, "a", "x"), "[NONE a 012] then x 0"},
		{"no limit is one", describing(0, nil, "a"), "[NONE a 0] then a 1"},
		{"a limit below none too", describing(-5, nil, "a"), "[NONE a 0] then a 1"},
		{"twice", describing(9, from("a", 1), "a", "a"), "[NONE a 12]"},
		{"from behind the last partition", describing(9, from("a", 7), "a", "b"), "[NONE a ][NONE b 012]"},
		{"from a topic that went", describing(9, from("c", 1)), "[NONE d 012]"},
		{"from behind the last topic", describing(9, from("z", 1)), ""},
		{"from a topic that is not asked about", describing(9, from("c", 1), "a", "d"), "[INVALID_REQUEST a ][INVALID_REQUEST d ]"},
		{"from below the first partition", describing(9, from("a", -1), "d", "a"), "[INVALID_REQUEST d ][INVALID_REQUEST a ]"},
		{"from below, all", describing(9, from("a", -1)), ""},
		{"a bad name", describing(9, nil, "", "a b"), "[INVALID_TOPIC_EXCEPTION  ][INVALID_TOPIC_EXCEPTION a b ]"},
	} {
		out := ask[*kmsg.DescribeTopicPartitionsResponse](r, c.req)
		got := ""
		for _, topic := range out.Topics {
			got += fmt.Sprintf("[%v %s ", kafka.ErrorCode(topic.ErrorCode), said(topic.Topic))
			for _, p := range topic.Partitions {
				got += fmt.Sprint(p.Partition)
			}
			got += "]"
		}
		if out.NextCursor != nil {
			got += fmt.Sprintf(" then %s %d", out.NextCursor.Topic, out.NextCursor.Partition)
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
	p := ask[*kmsg.DescribeTopicPartitionsResponse](r, describing(1, nil, "a")).Topics[0]
	if q := p.Partitions[0]; p.TopicID == [16]byte{} || p.AuthorizedOperations != 3576 || q.LeaderID != 1 || q.ErrorCode != 0 ||
		fmt.Sprint(q.Replicas, q.ISR, q.OfflineReplicas, q.EligibleLeaderReplicas, q.LastKnownELR) != "[1] [1] [] [] []" {
		t.Errorf("%+v", p)
	}
	other := askOn[*kmsg.DescribeTopicPartitionsResponse](r.connect("OTHER"), describing(1, nil, "a")).Topics[0].Partitions[0]
	if other.LeaderID != -1 || other.ErrorCode != 0 || fmt.Sprint(other.OfflineReplicas) != "[1]" {
		t.Errorf("where no broker is to be reached there is no leader, and no error: %+v", other)
	}
}
