package nodes

import (
	"bytes"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
)

// pulling is a follower's Fetch of the metadata log.
func pulling(offset int64) *kmsg.FetchRequest {
	m := kmsg.NewPtrFetchRequest()
	m.ReplicaID, m.ReplicaState.ID, m.MaxWaitMillis, m.MaxBytes = 4, 4, 500, 1<<20
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID = kafka.MetadataTopic, kafka.MetadataTopicID
	p := kmsg.NewFetchRequestTopicPartition()
	p.FetchOffset, p.CurrentLeaderEpoch, p.LastFetchedEpoch, p.PartitionMaxBytes, p.ReplicaDirectoryID = offset, 7, 6, 1<<10, [16]byte{5}
	t.Partitions = append(t.Partitions, p)
	m.Topics = append(m.Topics, t)
	return m
}

// TestAFollowerPullsTheMetadataLog, in every version that Kafka's observers speak.
func TestAFollowerPullsTheMetadataLog(t *testing.T) {
	s := newStand(t)
	b := record.NewControl(41, 6, 1000, record.ControlRecord{Type: record.ControlSnapshotFooter, Value: record.SnapshotFooter()})
	s.pulled = Pulled{Standing: Standing{Leader: 2, Epoch: 7, Endpoints: s.endpoints()}, HighWatermark: 44, LogStart: 3, Batches: []record.Batch{b, b}}
	for version := int16(12); version <= 18; version++ {
		out := ask[*kmsg.FetchResponse](s, s.n.Fetch, pulling(41), version)
		p := out.Topics[0].Partitions[0]
		if out.ErrorCode != 0 || p.ErrorCode != 0 || p.HighWatermark != 44 || p.LogStartOffset != 3 || p.CurrentLeader.LeaderID != 2 || p.CurrentLeader.LeaderEpoch != 7 {
			t.Fatalf("v%d: %+v", version, out)
		}
		if !bytes.Equal(p.RecordBatches, append(append([]byte{}, b...), b...)) {
			t.Fatalf("v%d: %d bytes of records", version, len(p.RecordBatches))
		}
		if version >= 16 && (len(out.Brokers) != 1 || out.Brokers[0].Host != "c2" || out.Brokers[0].Port != 9093) {
			t.Fatalf("v%d: the leader is at %+v", version, out.Brokers)
		}
		want := Pull{From: Follower{Node: 4, Directory: kafka.DirectoryID{5}}, Epoch: 7, Offset: 41, LastEpoch: 6, MaxBytes: 1 << 10, MaxWait: 500 * time.Millisecond}
		if version < 17 {
			want.From.Directory = kafka.DirectoryID{}
		}
		if got := s.pulls[len(s.pulls)-1]; got != want {
			t.Fatalf("v%d: asked %+v, want %+v", version, got, want)
		}
	}
	s.pulled = Pulled{Standing: Standing{Leader: 2, Epoch: 7}, Diverging: &EpochEnd{Epoch: 5, End: 30}}
	if p := ask[*kmsg.FetchResponse](s, s.n.Fetch, pulling(41), 17).Topics[0].Partitions[0]; p.DivergingEpoch.Epoch != 5 || p.DivergingEpoch.EndOffset != 30 {
		t.Fatalf("%+v", p)
	}
	s.pulled = Pulled{Standing: Standing{Leader: 2, Epoch: 7}, Snapshot: &SnapshotID{End: 20, Epoch: 4}}
	if p := ask[*kmsg.FetchResponse](s, s.n.Fetch, pulling(0), 17).Topics[0].Partitions[0]; p.SnapshotID.Epoch != 4 || p.SnapshotID.EndOffset != 20 {
		t.Fatalf("%+v", p)
	}
	s.err, s.pulled = refusal(kafka.ErrNotLeaderOrFollower), Pulled{Standing: Standing{Leader: 2, Epoch: 7, Endpoints: s.endpoints()}}
	out := ask[*kmsg.FetchResponse](s, s.n.Fetch, pulling(41), 17)
	wantCode(t, out.ErrorCode, kafka.ErrNone)
	p := out.Topics[0].Partitions[0]
	wantCode(t, p.ErrorCode, kafka.ErrNotLeaderOrFollower)
	if p.CurrentLeader.LeaderID != 2 || out.Brokers[0].Host != "c2" {
		t.Fatalf("%+v", out)
	}
}

// TestOnlyTheMetadataLogOfThisClusterIsServed.
func TestOnlyTheMetadataLogOfThisClusterIsServed(t *testing.T) {
	s := newStand(t)
	for name, c := range map[string]struct {
		spoil func(*kmsg.FetchRequest)
		want  kafka.ErrorCode
	}{
		"another cluster":   {func(m *kmsg.FetchRequest) { m.ClusterID = kmsg.StringPtr("there") }, kafka.ErrInconsistentClusterId},
		"another topic":     {func(m *kmsg.FetchRequest) { m.Topics[0].TopicID = [16]byte{9} }, kafka.ErrInvalidRequest},
		"another partition": {func(m *kmsg.FetchRequest) { m.Topics[0].Partitions[0].Partition = 1 }, kafka.ErrInvalidRequest},
		"no partition":      {func(m *kmsg.FetchRequest) { m.Topics = nil }, kafka.ErrInvalidRequest},
		"two partitions": {func(m *kmsg.FetchRequest) {
			m.Topics[0].Partitions = append(m.Topics[0].Partitions, m.Topics[0].Partitions[0])
		}, kafka.ErrInvalidRequest},
		"an offset below 0": {func(m *kmsg.FetchRequest) { m.Topics[0].Partitions[0].FetchOffset = -1 }, kafka.ErrInvalidRequest},
		"this cluster":      {func(m *kmsg.FetchRequest) { m.ClusterID = kmsg.StringPtr("here") }, kafka.ErrNone},
	} {
		m := pulling(1)
		c.spoil(m)
		s.pulls = nil
		out := ask[*kmsg.FetchResponse](s, s.n.Fetch, m, 17)
		if kafka.ErrorCode(out.ErrorCode) != c.want || (len(s.pulls) == 1) != (c.want == kafka.ErrNone) {
			t.Errorf("%s: %v, want %v", name, kafka.ErrorCode(out.ErrorCode), c.want)
		}
	}
}

func chunk(topic string) *kmsg.FetchSnapshotRequest {
	m := kmsg.NewPtrFetchSnapshotRequest()
	m.ReplicaID, m.MaxBytes = 4, 1000
	t := kmsg.NewFetchSnapshotRequestTopic()
	t.Topic = topic
	p := kmsg.NewFetchSnapshotRequestTopicPartition()
	p.CurrentLeaderEpoch, p.Position, p.ReplicaDirectoryID = 7, 100, [16]byte{5}
	p.SnapshotID.EndOffset, p.SnapshotID.Epoch = 20, 4
	t.Partitions = append(t.Partitions, p)
	m.Topics = append(m.Topics, t)
	return m
}

// TestASnapshotIsFetchedInPieces (KIP-630).
func TestASnapshotIsFetchedInPieces(t *testing.T) {
	s := newStand(t)
	s.chunk = Chunk{Standing: Standing{Leader: 2, Epoch: 7, Endpoints: s.endpoints()}, Size: 5000, Bytes: []byte("piece")}
	for version := int16(0); version <= 1; version++ {
		out := ask[*kmsg.FetchSnapshotResponse](s, s.n.FetchSnapshot, chunk(kafka.MetadataTopic), version)
		p := out.Topics[0].Partitions[0]
		if out.ErrorCode != 0 || p.ErrorCode != 0 || p.Size != 5000 || p.Position != 100 || string(p.Bytes) != "piece" || p.SnapshotID.EndOffset != 20 ||
			p.CurrentLeader.LeaderID != 2 || (len(out.NodeEndpoints) == 1) != (version == 1) {
			t.Fatalf("v%d: %+v", version, out)
		}
		want := PullChunk{From: Follower{Node: 4, Directory: kafka.DirectoryID{5}}, Epoch: 7, Snapshot: SnapshotID{End: 20, Epoch: 4}, Position: 100, MaxBytes: 1000}
		got := s.chunks[len(s.chunks)-1]
		if version == 0 {
			want.From.Directory = got.From.Directory
		}
		if got != want {
			t.Fatalf("v%d: asked %+v, want %+v", version, got, want)
		}
	}
	s.err = refusal(kafka.ErrSnapshotNotFound)
	p := ask[*kmsg.FetchSnapshotResponse](s, s.n.FetchSnapshot, chunk(kafka.MetadataTopic), 1).Topics[0].Partitions[0]
	wantCode(t, p.ErrorCode, kafka.ErrSnapshotNotFound)
	s.err = nil
	p = ask[*kmsg.FetchSnapshotResponse](s, s.n.FetchSnapshot, chunk("t"), 1).Topics[0].Partitions[0]
	wantCode(t, p.ErrorCode, kafka.ErrUnknownTopicOrPartition)
	foreign := chunk(kafka.MetadataTopic)
	foreign.ClusterID = kmsg.StringPtr("there")
	wantCode(t, ask[*kmsg.FetchSnapshotResponse](s, s.n.FetchSnapshot, foreign, 1).ErrorCode, kafka.ErrInconsistentClusterId)
	empty := kmsg.NewPtrFetchSnapshotRequest()
	wantCode(t, ask[*kmsg.FetchSnapshotResponse](s, s.n.FetchSnapshot, empty, 1).ErrorCode, kafka.ErrInvalidRequest)
}
