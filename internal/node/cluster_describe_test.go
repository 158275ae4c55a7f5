package node

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

func TestDescribeClusterByEndpointType(t *testing.T) {
	r := newRig(t, "broker.rack", "left")
	for _, version := range []int16{0, 1, 2} {
		for kind, want := range map[int8]kafka.ErrorCode{1: kafka.ErrNone, 2: kafka.ErrMismatchedEndpointType, 9: kafka.ErrUnsupportedEndpointType} {
			if version == 0 && kind != 1 {
				continue // which cannot ask for anything but brokers
			}
			req := kmsg.NewPtrDescribeClusterRequest()
			req.Version, req.EndpointType, req.IncludeClusterAuthorizedOperations = version, kind, true
			got := ask[*kmsg.DescribeClusterResponse](r, req)
			wantCode(t, got.ErrorCode, want)
			if want != kafka.ErrNone {
				if len(got.Brokers) != 0 || got.ClusterID != "" || got.ControllerID != -1 || said(got.ErrorMessage) == "" || got.ClusterAuthorizedOperations != -1<<31 {
					t.Errorf("v%d endpoint type %d: %+v", version, kind, got)
				}
				continue
			}
			b := got.Brokers[0]
			if len(got.Brokers) != 1 || b.NodeID != 1 || b.Host != "one" || b.Port != 9092 || said(b.Rack) != "left" || b.IsFenced ||
				got.ControllerID != 1 || len(got.ClusterID) != 22 || got.ClusterAuthorizedOperations != 8096 || got.EndpointType != 1 {
				t.Errorf("v%d: %+v", version, got)
			}
		}
	}
	quiet := ask[*kmsg.DescribeClusterResponse](r, kmsg.NewPtrDescribeClusterRequest())
	if quiet.ClusterAuthorizedOperations != -1<<31 {
		t.Errorf("operations that nobody asked for: %d", quiet.ClusterAuthorizedOperations)
	}
}

func TestDescribeQuorumOfAnythingElse(t *testing.T) {
	r := newRig(t)
	ask := func(version int16, topics ...kmsg.DescribeQuorumRequestTopic) *kmsg.DescribeQuorumResponse {
		req := kmsg.NewPtrDescribeQuorumRequest()
		req.Version, req.Topics = version, topics
		return ask[*kmsg.DescribeQuorumResponse](r, req)
	}
	of := func(name string, partitions ...int32) kmsg.DescribeQuorumRequestTopic {
		topic := kmsg.DescribeQuorumRequestTopic{Topic: name}
		for _, p := range partitions {
			topic.Partitions = append(topic.Partitions, kmsg.DescribeQuorumRequestTopicPartition{Partition: p})
		}
		return topic
	}
	for _, version := range []int16{0, 2} {
		for what, topics := range map[string][]kmsg.DescribeQuorumRequestTopic{
			"another topic": {of("a", 0)}, "another partition": {of("__cluster_metadata", 1)},
			"two partitions": {of("__cluster_metadata", 0, 1)}, "two topics": {of("__cluster_metadata", 0), of("a", 0)},
			"no partition": {of("__cluster_metadata")}, "nothing": nil,
		} {
			got := ask(version, topics...)
			if got.ErrorCode != 0 || len(got.Topics) != len(topics) || len(got.Nodes) != 0 {
				t.Errorf("v%d %s: %+v", version, what, got)
			}
			for i, topic := range got.Topics {
				if len(topic.Partitions) != len(topics[i].Partitions) {
					t.Errorf("v%d %s: %+v", version, what, topic)
				}
				for _, p := range topic.Partitions {
					if kafka.ErrorCode(p.ErrorCode) != kafka.ErrUnknownTopicOrPartition || version >= 2 && said(p.ErrorMessage) != "This server does not host this topic-partition." {
						t.Errorf("v%d %s: %+v", version, what, p)
					}
				}
			}
		}
		good := ask(version, of("__cluster_metadata", 0))
		p := good.Topics[0].Partitions[0]
		if p.ErrorCode != 0 || p.LeaderID != 1 || p.LeaderEpoch <= 0 || len(p.CurrentVoters) != 1 || len(p.Observers) != 0 ||
			version >= 2 && (len(good.Nodes) != 1 || len(good.Nodes[0].Listeners) != 1 || p.CurrentVoters[0].ReplicaDirectoryID == [16]byte{}) {
			t.Errorf("v%d: %+v", version, good)
		}
	}
}

func TestDescribeLogDirsCountsEachLogOnce(t *testing.T) {
	r := newRig(t)
	r.create("b", 2)
	r.create("a", 1)
	r.fill("a", 3, 100)
	describe := func(version int16, topics []kmsg.DescribeLogDirsRequestTopic) string {
		req := kmsg.NewPtrDescribeLogDirsRequest()
		req.Version, req.Topics = version, topics
		resp := ask[*kmsg.DescribeLogDirsResponse](r, req)
		if len(resp.Dirs) != 1 || resp.Dirs[0].ErrorCode != 0 || resp.Dirs[0].Dir != "data" || resp.ErrorCode != 0 {
			t.Fatalf("v%d: %+v", version, resp)
		}
		d := resp.Dirs[0]
		if version >= 4 && (d.UsableBytes < 0 || d.TotalBytes < d.UsableBytes) || version < 4 && (d.TotalBytes != -1 || d.UsableBytes != -1) {
			t.Errorf("v%d: %d of %d bytes are free", version, d.UsableBytes, d.TotalBytes)
		}
		out := ""
		for _, topic := range d.Topics {
			for _, p := range topic.Partitions {
				if p.OffsetLag != 0 || p.IsFuture {
					t.Errorf("%s-%d: %+v", topic.Topic, p.Partition, p)
				}
				out += fmt.Sprintf("[%s-%d %v]", topic.Topic, p.Partition, p.Size > 0)
			}
		}
		return out
	}
	of := func(name string, partitions ...int32) kmsg.DescribeLogDirsRequestTopic {
		return kmsg.DescribeLogDirsRequestTopic{Topic: name, Partitions: partitions}
	}
	for _, version := range []int16{1, 4, 5} {
		for _, c := range []struct {
			topics []kmsg.DescribeLogDirsRequestTopic
			want   string
		}{
			{nil, "[a-0 true][b-0 false][b-1 false]"}, // the metadata log is not among them
			{[]kmsg.DescribeLogDirsRequestTopic{}, ""},
			{[]kmsg.DescribeLogDirsRequestTopic{of("b", 1, 7), of("missing", 0), of("a", 0)}, "[a-0 true][b-1 false]"},
		} {
			if got := describe(version, c.topics); got != c.want {
				t.Errorf("v%d %+v: %s, want %s", version, c.topics, got, c.want)
			}
		}
	}
	r.restart()
	if got, want := describe(5, []kmsg.DescribeLogDirsRequestTopic{of("a", 0)}), "[a-0 true]"; got != want {
		t.Errorf("a log that nobody opened since the start: %s, want %s", got, want)
	}
}

func TestDescribeProducersOneByOne(t *testing.T) {
	r := newRig(t)
	r.create("a", 1)
	wantCode(t, r.write("a", 0, idempotent(9, 2, 0, "x", "y", "z")).ErrorCode, kafka.ErrNone)
	wantCode(t, r.write("a", 0, idempotent(3, 0, 7, "x")).ErrorCode, kafka.ErrNone)
	req := kmsg.NewPtrDescribeProducersRequest()
	req.Topics = []kmsg.DescribeProducersRequestTopic{{Topic: "a", Partitions: []int32{0, 1, -1}}, {Topic: "missing", Partitions: []int32{0}},
		{Topic: "a b", Partitions: []int32{0}}, {Topic: "a"}}
	got := ask[*kmsg.DescribeProducersResponse](r, req).Topics
	var codes []kafka.ErrorCode
	for _, topic := range got {
		for _, p := range topic.Partitions {
			codes = append(codes, kafka.ErrorCode(p.ErrorCode))
		}
	}
	if want := "[NONE UNKNOWN_TOPIC_OR_PARTITION UNKNOWN_TOPIC_OR_PARTITION UNKNOWN_TOPIC_OR_PARTITION INVALID_TOPIC_EXCEPTION]"; len(got) != 4 || fmt.Sprint(codes) != want {
		t.Errorf("%v, want %s", codes, want)
	}
	states := ""
	for _, p := range got[0].Partitions[0].ActiveProducers {
		states += fmt.Sprintf("[%d epoch %d sequence %d txn %d coordinator %d]", p.ProducerID, p.ProducerEpoch, p.LastSequence, p.CurrentTxnStartOffset, p.CoordinatorEpoch)
	}
	if want := "[3 epoch 0 sequence 7 txn -1 coordinator -1][9 epoch 2 sequence 2 txn -1 coordinator -1]"; states != want {
		t.Errorf("%s, want %s", states, want)
	}
}
