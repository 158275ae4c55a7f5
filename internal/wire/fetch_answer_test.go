package wire

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

// memFile is a disk.File that can only be read.
type memFile struct{ b []byte }

func (m memFile) ReadAt(p []byte, off int64) (int, error) { return bytes.NewReader(m.b).ReadAt(p, off) }
func (memFile) WriteAt([]byte, int64) (int, error)        { return 0, io.ErrClosedPipe }
func (memFile) Sync() error                               { return nil }
func (memFile) Truncate(int64) error                      { return io.ErrClosedPipe }
func (m memFile) Size() (int64, error)                    { return int64(len(m.b)), nil }
func (memFile) Name() string                              { return "mem" }
func (memFile) Close() error                              { return nil }

// TestFetchAnswerAgreesWithKmsg compares our encoding, sections read in, with kmsg's, byte for byte, for every version.
func TestFetchAnswerAgreesWithKmsg(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	table, pool := everything(), NewPool(nil, true)
	for version := int16(4); version <= 18; version++ {
		for range 200 {
			a, m := randomFetchAnswer(rng, version)
			d := Decoded{Header: Header{Key: kafka.KeyFetch, Version: version, CorrelationID: 9}}
			ours := table.Encode(pool, &d, Reply{Payload: EncodeFetch(version, a)})
			theirs := table.Encode(pool, &d, Reply{Message: m})
			got, err := ours.AppendTo(nil)
			if err != nil {
				t.Fatal(err)
			}
			want, _ := theirs.AppendTo(nil)
			if !bytes.Equal(got, want) {
				t.Fatalf("v%d: %+v\nours  %x\nkmsg's %x", version, a, got, want)
			}
			if ours.Size() != int64(len(got)) {
				t.Fatalf("v%d: size %d, wrote %d", version, ours.Size(), len(got))
			}
			ours.Free()
			theirs.Free()
		}
	}
}

func randomFetchAnswer(rng *rand.Rand, version int16) (*FetchAnswer, *kmsg.FetchResponse) {
	a := &FetchAnswer{ThrottleMs: rng.Int32()}
	if version >= 7 {
		a.ErrorCode, a.SessionID = kafka.ErrorCode(rng.IntN(100)), rng.Int32()
	}
	m := kmsg.NewPtrFetchResponse()
	m.SetVersion(version)
	m.ThrottleMillis, m.ErrorCode, m.SessionID = a.ThrottleMs, int16(a.ErrorCode), a.SessionID
	hinted := map[int32]bool{}
	for i := range rng.IntN(4) {
		topic := kmsg.NewFetchResponseTopic()
		topic.Topic, topic.TopicID = "t"+string(rune('a'+i)), [16]byte{byte(i), 1}
		for range 1 + rng.IntN(3) {
			p, k := randomFetchPartition(rng, version)
			p.Topic, p.TopicID = topic.Topic, kafka.TopicID(topic.TopicID)
			if l := p.Leader; l != nil && version >= fetchEndpoints && l.Host != "" && !hinted[int32(l.ID)] {
				hinted[int32(l.ID)] = true
				b := kmsg.NewFetchResponseBroker()
				b.NodeID, b.Host, b.Port, b.Rack = int32(l.ID), l.Host, l.Port, l.Rack
				m.Brokers = append(m.Brokers, b)
			}
			a.Partitions = append(a.Partitions, p)
			topic.Partitions = append(topic.Partitions, k)
		}
		m.Topics = append(m.Topics, topic)
	}
	return a, m
}

func randomFetchPartition(rng *rand.Rand, version int16) (FetchPartition, kmsg.FetchResponseTopicPartition) {
	p := FetchPartition{
		Partition: rng.Int32(), ErrorCode: kafka.ErrorCode(rng.IntN(100)), HighWatermark: kafka.Offset(rng.Int64()),
		LastStable: kafka.Offset(rng.Int64()), LogStart: kafka.Offset(rng.Int64()), PreferredReplica: kafka.NodeID(rng.IntN(4) - 1),
	}
	k := kmsg.NewFetchResponseTopicPartition()
	k.Partition, k.ErrorCode, k.HighWatermark = p.Partition, int16(p.ErrorCode), int64(p.HighWatermark)
	k.LastStableOffset, k.LogStartOffset, k.PreferredReadReplica = int64(p.LastStable), int64(p.LogStart), int32(p.PreferredReplica)
	if n := rng.IntN(4); n > 0 {
		p.Aborted, k.AbortedTransactions = []AbortedTxn{}, []kmsg.FetchResponseTopicPartitionAbortedTransaction{}
		for range n - 1 {
			at := kmsg.NewFetchResponseTopicPartitionAbortedTransaction()
			at.ProducerID, at.FirstOffset = rng.Int64(), rng.Int64()
			k.AbortedTransactions = append(k.AbortedTransactions, at)
			p.Aborted = append(p.Aborted, AbortedTxn{kafka.ProducerID(at.ProducerID), kafka.Offset(at.FirstOffset)})
		}
	}
	k.RecordBatches = []byte{}
	for range rng.IntN(4) {
		whole := make([]byte, rng.IntN(300))
		for i := range whole {
			whole[i] = byte(rng.Uint32())
		}
		from := rng.IntN(len(whole) + 1)
		if rng.IntN(2) == 0 {
			p.Records = append(p.Records, Piece{Bytes: whole[from:]})
		} else {
			p.Records = append(p.Records, Piece{File: memFile{whole}, Pos: int64(from), Len: int64(len(whole) - from)})
		}
		k.RecordBatches = append(k.RecordBatches, whole[from:]...)
	}
	if version < fetchFlexible {
		return p, k
	}
	if rng.IntN(3) == 0 {
		p.Diverging = &EpochEnd{Epoch: 7, EndOffset: kafka.Offset(rng.Int64())}
		k.DivergingEpoch.Epoch, k.DivergingEpoch.EndOffset = 7, int64(p.Diverging.EndOffset)
	}
	if rng.IntN(3) == 0 {
		p.Leader = randomLeader(rng)
		k.CurrentLeader.LeaderID, k.CurrentLeader.LeaderEpoch = int32(p.Leader.ID), int32(p.Leader.Epoch)
	}
	if rng.IntN(3) == 0 {
		p.Snapshot = &SnapshotID{EndOffset: kafka.Offset(rng.Int64()), Epoch: 3}
		k.SnapshotID.EndOffset, k.SnapshotID.Epoch = int64(p.Snapshot.EndOffset), 3
	}
	return p, k
}

// TestFetchAnswerReleasesOnce: the sections stay pinned until the answer was written or given up.
func TestFetchAnswerReleasesOnce(t *testing.T) {
	released := 0
	p := EncodeFetch(12, &FetchAnswer{Release: func() { released++ }})
	d := Decoded{Header: Header{Key: kafka.KeyFetch, Version: 12}}
	out := everything().Encode(NewPool(nil, true), &d, Reply{Payload: p})
	if released != 0 {
		t.Fatal("released before it was written")
	}
	out.Free()
	out.Free()
	if released != 1 {
		t.Fatalf("released %d times", released)
	}
}

func TestShortFileIsAnError(t *testing.T) {
	a := &FetchAnswer{Partitions: []FetchPartition{{Records: []Piece{{File: memFile{make([]byte, 5)}, Pos: 0, Len: 6}}}}}
	d := Decoded{Header: Header{Key: kafka.KeyFetch, Version: 12}}
	out := everything().Encode(NewPool(nil, true), &d, Reply{Payload: EncodeFetch(12, a)})
	if _, err := out.AppendTo(nil); !errors.Is(err, io.EOF) {
		t.Fatalf("got %v", err)
	}
}
