package wire

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

// What we ask is read by kmsg and by our own parser as it was meant.
func TestFetchCallsAreFetchRequests(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for version := int16(FetchCallMin); version <= 18; version++ {
		for round := range 200 {
			c := FetchCall{Replica: 3, BrokerEpoch: 77, MaxWaitMs: 500, MinBytes: 1, MaxBytes: 10 << 20, SessionID: rng.Int32(), SessionEpoch: rng.Int32()}
			if round%2 == 0 {
				c.ClusterID = "a-cluster"
			}
			topics := make([]kafka.TopicID, 4)
			for i := range topics {
				topics[i] = kafka.TopicID{0: byte(rng.IntN(3)), 15: byte(rng.Int())}
			}
			for range rng.IntN(9) {
				c.Partitions = append(c.Partitions, FetchedPartition{
					TopicID: topics[rng.IntN(4)], Partition: rng.Int32(), CurrentEpoch: kafka.LeaderEpoch(rng.Int32()),
					LastFetchedEpoch: kafka.LeaderEpoch(rng.Int32()), FetchOffset: kafka.Offset(rng.Int64()), LogStart: kafka.Offset(rng.Int64()),
					HighWatermark: kafka.Offset(rng.IntN(3) - 1), Durable: kafka.Offset(rng.Int64()), MaxBytes: rng.Int32(),
				})
			}
			for range rng.IntN(4) {
				c.Forget = append(c.Forget, FetchedPartition{TopicID: topics[rng.IntN(4)], Partition: rng.Int32()})
			}
			c.Sort()
			body := c.AppendTo(nil, version)
			f, err := ParseFetch(version, body)
			if err != nil {
				t.Fatal(err)
			}
			if f.ReplicaID != 3 || f.ReplicaEpoch != 77 || f.SessionID != c.SessionID || f.SessionEpoch != c.SessionEpoch || f.MaxBytes != c.MaxBytes || f.Committed {
				t.Fatalf("v%d: %+v", version, f)
			}
			want := slices.Clone(c.Partitions)
			if version < fetchHighWatermarks {
				for i := range want {
					want[i].HighWatermark = kafka.NoOffset
				}
			}
			var got []FetchedPartition
			for p := range f.All {
				p.Topic = nil
				got = append(got, p)
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("v%d: asked %+v\nread %+v", version, want, got)
			}
			m := kmsg.NewPtrFetchRequest()
			m.SetVersion(version)
			if err := m.ReadFrom(body); err != nil || m.ReplicaState.Epoch != 77 || (m.ClusterID != nil) != (c.ClusterID != "") {
				t.Fatalf("v%d: %v, %+v", version, err, m)
			}
			forgotten := 0
			for _, t := range m.ForgottenTopics {
				forgotten += len(t.Partitions)
			}
			if again := m.AppendTo(nil); forgotten != len(c.Forget) || len(again) != len(body) {
				t.Fatalf("v%d: %d of %d forgotten, %d bytes of %d", version, forgotten, len(c.Forget), len(again), len(body))
			}
		}
	}
}

func BenchmarkFetchCall(b *testing.B) {
	c := FetchCall{ClusterID: "cluster"}
	for i := range 100 {
		c.Partitions = append(c.Partitions, FetchedPartition{TopicID: kafka.TopicID{byte(i / 10)}, Partition: int32(i % 10), HighWatermark: 1})
	}
	c.Sort()
	buf := c.AppendTo(nil, 18)
	b.ReportAllocs()
	for b.Loop() {
		buf = c.AppendTo(buf[:0], 18)
	}
}
