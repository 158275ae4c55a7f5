package wire

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

// TestProduceWalkAgreesWithKmsg compares every field of random requests of every version.
func TestProduceWalkAgreesWithKmsg(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for version := int16(3); version <= 13; version++ {
		for range 200 {
			m := randomMessage(rng, kmsg.NewPtrProduceRequest(), version, version >= produceFlexible)
			body := m.AppendTo(nil)
			p, err := ParseProduce(version, body)
			if err != nil {
				t.Fatalf("v%d: %v\n%x", version, err, body)
			}
			if p.Acks != m.Acks || p.TimeoutMs != m.TimeoutMillis || p.Topics != len(m.Topics) {
				t.Fatalf("v%d: %+v of %+v", version, p, m)
			}
			if (p.TransactionalID == nil) != (m.TransactionID == nil) ||
				m.TransactionID != nil && string(p.TransactionalID) != *m.TransactionID {
				t.Fatalf("v%d: transactional id %q of %v", version, p.TransactionalID, m.TransactionID)
			}
			var want, got []ProducePartition
			for _, topic := range m.Topics {
				for _, part := range topic.Partitions {
					w := ProducePartition{Topic: []byte(topic.Topic), Partition: part.Partition, Records: part.Records}
					if version >= produceTopicIDs {
						w.Topic, w.TopicID = nil, kafka.TopicID(topic.TopicID)
					}
					want = append(want, w)
				}
			}
			for part := range p.All {
				got = append(got, part)
			}
			if !reflect.DeepEqual(got, want) || p.Partitions != len(want) {
				t.Fatalf("v%d: got %+v want %+v", version, got, want)
			}
			for cut := range body {
				if _, err := ParseProduce(version, body[:cut]); err == nil {
					t.Fatalf("v%d: cut at %d of %d it still parses", version, cut, len(body))
				}
			}
		}
	}
}

// TestProduceRecordsAliasTheFrame: the broker patches offsets in place.
func TestProduceRecordsAliasTheFrame(t *testing.T) {
	body := produceBody(11, 1, 1, 100)
	p, err := ParseProduce(11, body)
	if err != nil {
		t.Fatal(err)
	}
	for part := range p.All {
		part.Records[0] = 0xab
	}
	if !bytes.Contains(body, []byte{0xab}) {
		t.Fatal("the records were copied")
	}
}

// TestProduceLeavesTheFrameAlone behind the last partition: whoever served that may have freed the frame.
func TestProduceLeavesTheFrameAlone(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	for range 200 {
		m := randomMessage(rng, kmsg.NewPtrProduceRequest(), 11, true)
		body := m.AppendTo(nil)
		p, err := ParseProduce(11, body)
		if err != nil {
			t.Fatal(err)
		}
		seen := 0
		for range p.All {
			if seen++; seen == p.Partitions {
				for i := range body {
					body[i] = 0xff
				}
			}
			if seen > p.Partitions {
				t.Fatal("more partitions than there are")
			}
		}
		if seen != p.Partitions {
			t.Fatalf("%d of %d", seen, p.Partitions)
		}
	}
}

func TestProduceWalkAllocatesNothing(t *testing.T) {
	body := produceBody(11, 10, 10, 100)
	total := 0
	n := testing.AllocsPerRun(100, func() {
		p, err := ParseProduce(11, body)
		if err != nil {
			t.Fatal(err)
		}
		for part := range p.All {
			total += len(part.Records)
		}
	})
	if n != 0 || total == 0 {
		t.Fatalf("%v allocations, %d bytes of records", n, total)
	}
}

func produceBody(version int16, topics, partitions, recordBytes int) []byte {
	m := kmsg.NewPtrProduceRequest()
	m.SetVersion(version)
	m.Acks = -1
	for range topics {
		topic := kmsg.NewProduceRequestTopic()
		topic.Topic = "a-topic"
		for i := range partitions {
			p := kmsg.NewProduceRequestTopicPartition()
			p.Partition, p.Records = int32(i), make([]byte, recordBytes)
			topic.Partitions = append(topic.Partitions, p)
		}
		m.Topics = append(m.Topics, topic)
	}
	return m.AppendTo(nil)
}

// TestProduceAnswerAgreesWithKmsg compares our encoding with kmsg's, byte for byte, for every version.
func TestProduceAnswerAgreesWithKmsg(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	for version := int16(3); version <= 13; version++ {
		for range 200 {
			a, m := randomProduceAnswer(rng, version)
			if got, want := a.AppendTo(nil), m.AppendTo(nil); !bytes.Equal(got, want) {
				t.Fatalf("v%d: %+v\nours  %x\nkmsg's %x", version, a, got, want)
			}
		}
	}
}

func randomProduceAnswer(rng *rand.Rand, version int16) (*ProduceAnswer, *kmsg.ProduceResponse) {
	a := &ProduceAnswer{Version: version, ThrottleMs: rng.Int32()}
	m := kmsg.NewPtrProduceResponse()
	m.SetVersion(version)
	m.ThrottleMillis = a.ThrottleMs
	hinted := map[int32]bool{}
	for i := range rng.IntN(4) {
		topic := kmsg.NewProduceResponseTopic()
		topic.Topic, topic.TopicID = "t"+randomText(rng)+string(rune('a'+i)), [16]byte{byte(i), 1}
		for range 1 + rng.IntN(3) {
			p := ProducePartitionAnswer{
				Topic: topic.Topic, TopicID: kafka.TopicID(topic.TopicID), Partition: rng.Int32(),
				ErrorCode: kafka.ErrorCode(rng.IntN(90)), BaseOffset: kafka.Offset(rng.Int64()),
				LogAppendTimeMs: rng.Int64(), LogStart: kafka.Offset(rng.Int64()),
			}
			k := kmsg.NewProduceResponseTopicPartition()
			k.Partition, k.ErrorCode, k.BaseOffset = p.Partition, int16(p.ErrorCode), int64(p.BaseOffset)
			k.LogAppendTime, k.LogStartOffset = p.LogAppendTimeMs, int64(p.LogStart)
			if rng.IntN(2) == 0 {
				s := randomText(rng)
				p.ErrorMessage, k.ErrorMessage = &s, &s
				p.RecordErrors = append(p.RecordErrors, RecordError{Index: 3, Message: &s}, RecordError{Index: 4})
				for _, e := range p.RecordErrors {
					ke := kmsg.NewProduceResponseTopicPartitionErrorRecord()
					ke.RelativeOffset, ke.ErrorMessage = e.Index, e.Message
					k.ErrorRecords = append(k.ErrorRecords, ke)
				}
			}
			if rng.IntN(3) == 0 {
				p.Leader = randomLeader(rng)
				if version >= produceLeaders {
					k.CurrentLeader.LeaderID, k.CurrentLeader.LeaderEpoch = int32(p.Leader.ID), int32(p.Leader.Epoch)
					if p.Leader.Host != "" && !hinted[int32(p.Leader.ID)] {
						hinted[int32(p.Leader.ID)] = true
						b := kmsg.NewProduceResponseBroker()
						b.NodeID, b.Host, b.Port, b.Rack = int32(p.Leader.ID), p.Leader.Host, p.Leader.Port, p.Leader.Rack
						m.Brokers = append(m.Brokers, b)
					}
				}
			}
			a.Partitions = append(a.Partitions, p)
			topic.Partitions = append(topic.Partitions, k)
		}
		m.Topics = append(m.Topics, topic)
	}
	return a, m
}

func randomLeader(rng *rand.Rand) *LeaderHint {
	id := kafka.NodeID(rng.IntN(3))
	l := &LeaderHint{ID: id, Epoch: kafka.LeaderEpoch(rng.IntN(100)), Port: 9092 + int32(id)}
	if id > 0 {
		l.Host = "host" + string(rune('0'+id))
	}
	if id == 2 {
		rack := "rack"
		l.Rack = &rack
	}
	return l
}
