package wire

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/milena-io/milena/internal/kafka"
)

// TestFetchRepliesSayWhatWasAnswered: what EncodeFetch writes, in any version, is read back, the records in place.
func TestFetchRepliesSayWhatWasAnswered(t *testing.T) {
	rng := rand.New(rand.NewPCG(23, 24))
	for version := int16(4); version <= 18; version++ {
		for range 100 {
			a, _ := randomFetchAnswer(rng, version)
			out := Outgoing{Head: NewPool(nil, true).Get(1), Payload: EncodeFetch(version, a)}
			body, err := out.AppendTo(nil)
			if err != nil {
				t.Fatal(err)
			}
			r, err := ParseFetchReply(version, body)
			if err != nil || r.Partitions != len(a.Partitions) || r.ErrorCode != a.ErrorCode || r.SessionID != a.SessionID || r.ThrottleMs != a.ThrottleMs {
				t.Fatalf("v%d: %+v, %v", version, r, err)
			}
			i := 0
			for p := range r.All {
				wantPartition(t, version, &a.Partitions[i], &p)
				i++
			}
			if i != len(a.Partitions) {
				t.Fatalf("%d partitions of %d", i, len(a.Partitions))
			}
			for n := range body {
				if _, err := ParseFetchReply(version, body[:n]); err == nil {
					t.Fatalf("v%d: %d bytes of %d parse", version, n, len(body))
				}
			}
		}
	}
}

func wantPartition(t *testing.T, version int16, a *FetchPartition, p *ReplyPartition) {
	t.Helper()
	want := ReplyPartition{
		Topic: []byte(a.Topic), Partition: a.Partition, ErrorCode: a.ErrorCode, HighWatermark: a.HighWatermark, LastStable: a.LastStable,
		LogStart: kafka.NoOffset, Leader: kafka.NoNode, PreferredReplica: kafka.NoNode,
		Diverging: EpochEnd{Epoch: kafka.NoLeaderEpoch}, LeaderEpoch: kafka.NoLeaderEpoch, Snapshot: SnapshotID{Epoch: kafka.NoLeaderEpoch},
	}
	if version >= fetchTopicIDs {
		want.Topic, want.TopicID = nil, a.TopicID
	}
	if version >= fetchLogStart {
		want.LogStart = a.LogStart
	}
	if version >= fetchRack {
		want.PreferredReplica = a.PreferredReplica
	}
	if version >= fetchFlexible && a.Diverging != nil {
		want.Diverging = *a.Diverging
	}
	if version >= fetchFlexible && a.Leader != nil {
		want.Leader, want.LeaderEpoch = a.Leader.ID, a.Leader.Epoch
	}
	if version >= fetchFlexible && a.Snapshot != nil {
		want.Snapshot = *a.Snapshot
	}
	var records []byte
	for i := range a.Records {
		one := Outgoing{Head: &Buffer{}, Payload: &Payload{Pieces: a.Records[i : i+1]}}
		b, err := one.AppendTo(nil)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, b...)
	}
	if !bytes.Equal(p.Records, records) || !bytes.Equal(p.Topic, want.Topic) {
		t.Fatalf("v%d: %q with %x, want %q with %x", version, p.Topic, p.Records, want.Topic, records)
	}
	got := *p
	got.Records, got.Topic, want.Topic = nil, nil, nil
	if got.TopicID != want.TopicID || got.Partition != want.Partition || got.ErrorCode != want.ErrorCode ||
		got.HighWatermark != want.HighWatermark || got.LastStable != want.LastStable || got.LogStart != want.LogStart ||
		got.Diverging != want.Diverging || got.Leader != want.Leader || got.LeaderEpoch != want.LeaderEpoch ||
		got.Snapshot != want.Snapshot || got.PreferredReplica != want.PreferredReplica {
		t.Fatalf("v%d: %+v\nwant %+v", version, got, want)
	}
}

// BenchmarkParseFetchReply walks an answer of 16 partitions with 64 KiB each.
func BenchmarkParseFetchReply(b *testing.B) {
	a := &FetchAnswer{}
	for i := range 16 {
		a.Partitions = append(a.Partitions, FetchPartition{
			TopicID: kafka.TopicID{1}, Partition: int32(i), Records: []Piece{{Bytes: make([]byte, 64<<10)}},
		})
	}
	out := Outgoing{Head: &Buffer{}, Payload: EncodeFetch(18, a)}
	body, err := out.AppendTo(nil)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		r, err := ParseFetchReply(18, body)
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for p := range r.All {
			n += len(p.Records)
		}
		if n != 1<<20 {
			b.Fatal(n)
		}
	}
}
