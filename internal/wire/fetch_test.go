package wire

import (
	"encoding/binary"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

// fetchedOf is what our walk is to say of a message.
func fetchedOf(m *kmsg.FetchRequest) (asked, forgotten []FetchedPartition) {
	v := m.Version
	named := func(topic string, id [16]byte) FetchedPartition {
		if v >= fetchTopicIDs {
			return FetchedPartition{TopicID: kafka.TopicID(id)}
		}
		return FetchedPartition{Topic: []byte(topic)}
	}
	for _, t := range m.Topics {
		for _, p := range t.Partitions {
			w := named(t.Topic, t.TopicID)
			w.Partition, w.FetchOffset, w.MaxBytes = p.Partition, kafka.Offset(p.FetchOffset), p.PartitionMaxBytes
			w.CurrentEpoch, w.LastFetchedEpoch = kafka.NoLeaderEpoch, kafka.NoLeaderEpoch
			w.LogStart, w.HighWatermark, w.Durable = kafka.NoOffset, kafka.NoOffset, durableOf(&p)
			if v >= 9 {
				w.CurrentEpoch = kafka.LeaderEpoch(p.CurrentLeaderEpoch)
			}
			if v >= 12 {
				w.LastFetchedEpoch = kafka.LeaderEpoch(p.LastFetchedEpoch)
			}
			if v >= 5 {
				w.LogStart = kafka.Offset(p.LogStartOffset)
			}
			if v >= 18 {
				w.HighWatermark = kafka.Offset(p.HighWatermark)
			}
			if v >= 17 {
				w.Directory = p.ReplicaDirectoryID
			}
			asked = append(asked, w)
		}
	}
	for _, t := range m.ForgottenTopics {
		for _, p := range t.Partitions {
			w := named(t.Topic, t.TopicID)
			w.Partition = p
			if v >= 7 {
				forgotten = append(forgotten, w)
			}
		}
	}
	return asked, forgotten
}

// tellDurable gives some partitions our own tag.
func tellDurable(rng *rand.Rand, m *kmsg.FetchRequest) {
	for i := range m.Topics {
		for j := range m.Topics[i].Partitions {
			if rng.IntN(2) == 0 {
				m.Topics[i].Partitions[j].UnknownTags.Set(TagDurable, binary.BigEndian.AppendUint64(nil, rng.Uint64()))
			}
		}
	}
}

// durableOf is what tellDurable gave.
func durableOf(p *kmsg.FetchRequestTopicPartition) kafka.Offset {
	found := kafka.NoOffset
	p.UnknownTags.Each(func(tag uint32, value []byte) {
		if tag == TagDurable {
			found = kafka.Offset(binary.BigEndian.Uint64(value))
		}
	})
	return found
}

// A durable offset that is not eight bytes long is no durable offset.
func TestADurableOffsetHasEightBytes(t *testing.T) {
	for n, good := range map[int]bool{0: false, 7: false, 8: true} {
		m := kmsg.NewPtrFetchRequest()
		m.SetVersion(18)
		topic := kmsg.NewFetchRequestTopic()
		p := kmsg.NewFetchRequestTopicPartition()
		p.UnknownTags.Set(TagDurable, make([]byte, n))
		topic.Partitions = append(topic.Partitions, p)
		m.Topics = append(m.Topics, topic)
		if _, err := ParseFetch(18, m.AppendTo(nil)); (err == nil) != good {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

// TestFetchWalkAgreesWithKmsg compares every field of random requests of every version.
func TestFetchWalkAgreesWithKmsg(t *testing.T) {
	rng := rand.New(rand.NewPCG(17, 18))
	for version := int16(4); version <= 18; version++ {
		for range 200 {
			m := randomMessage(rng, kmsg.NewPtrFetchRequest(), version, version >= fetchFlexible)
			if version >= fetchFlexible {
				tellDurable(rng, m)
			}
			body := m.AppendTo(nil)
			f, err := ParseFetch(version, body)
			if err != nil {
				t.Fatalf("v%d: %v\n%x", version, err, body)
			}
			replica, session, epoch := m.ReplicaID, m.SessionID, m.SessionEpoch
			broker, rack := int64(-1), ""
			if version >= 15 {
				replica, broker = m.ReplicaState.ID, m.ReplicaState.Epoch
			}
			if version >= 11 {
				rack = m.Rack
			}
			if version < 7 {
				session, epoch = 0, -1
			}
			if f.ReplicaID != replica || f.MaxWaitMs != m.MaxWaitMillis || f.MinBytes != m.MinBytes || f.MaxBytes != m.MaxBytes ||
				f.Committed != (m.IsolationLevel == 1) || f.SessionID != session || f.SessionEpoch != epoch ||
				int64(f.ReplicaEpoch) != broker || string(f.Rack) != rack {
				t.Fatalf("v%d: %+v of %+v", version, f, m)
			}
			if told := m.ClusterID != nil && version >= fetchFlexible; told != (f.ClusterID != nil) || told && string(f.ClusterID) != *m.ClusterID {
				t.Fatalf("v%d: cluster %q of %v", version, f.ClusterID, m.ClusterID)
			}
			var asked, forgotten []FetchedPartition
			for p := range f.All {
				asked = append(asked, p)
			}
			for p := range f.Forget {
				forgotten = append(forgotten, p)
			}
			a, b := fetchedOf(m)
			if !reflect.DeepEqual(asked, a) || !reflect.DeepEqual(forgotten, b) || f.Partitions != len(a) || f.Forgotten != len(b) {
				t.Fatalf("v%d: got %+v\n%+v\nwant %+v\n%+v", version, asked, forgotten, a, b)
			}
			for cut := range body {
				if _, err := ParseFetch(version, body[:cut]); err == nil {
					t.Fatalf("v%d: cut at %d of %d it still parses", version, cut, len(body))
				}
			}
		}
	}
}

func fetchBody(version int16, partitions int) []byte {
	m := kmsg.NewPtrFetchRequest()
	m.SetVersion(version)
	m.MaxBytes, m.SessionID, m.SessionEpoch = 1<<20, 7, 9
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic = "a-topic"
	for i := range partitions {
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.PartitionMaxBytes = int32(i), 1<<20
		topic.Partitions = append(topic.Partitions, p)
	}
	m.Topics = append(m.Topics, topic)
	return m.AppendTo(nil)
}

func TestFetchWalkAllocatesNothing(t *testing.T) {
	for _, version := range []int16{12, 18} {
		body := fetchBody(version, 10)
		total := 0
		if n := testing.AllocsPerRun(100, func() {
			f, err := ParseFetch(version, body)
			if err != nil {
				t.Fatal(err)
			}
			for p := range f.All {
				total += int(p.MaxBytes)
			}
			for range f.Forget {
				total++
			}
		}); n != 0 || total == 0 {
			t.Fatalf("v%d: %v allocations", version, n)
		}
	}
}
