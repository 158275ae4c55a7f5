package wire

import (
	"github.com/milena-io/milena/internal/kafka"
)

// FetchAnswer is the answer to a Fetch request, encoded by EncodeFetch for versions 4 to 18. Partitions of one topic
// stand together.
type FetchAnswer struct {
	ThrottleMs int32
	ErrorCode  kafka.ErrorCode
	SessionID  int32
	Partitions []FetchPartition
	Release    func() // called once when all records were written or given up; may be nil
}

// FetchPartition is one partition's part. Of Topic and TopicID the one that the version uses is written.
type FetchPartition struct {
	Topic         string
	TopicID       kafka.TopicID
	Partition     int32
	ErrorCode     kafka.ErrorCode
	HighWatermark kafka.Offset
	LastStable    kafka.Offset
	LogStart      kafka.Offset
	Diverging     *EpochEnd    // where the reader's log leaves ours (KIP-595), from version 12 on
	Leader        *LeaderHint  // with a leader error (KIP-951), from version 12 on; its endpoint from 16 on
	Snapshot      *SnapshotID  // the reader is below our snapshot (KIP-630), from version 12 on
	Aborted       []AbortedTxn // nil writes null, as read_uncommitted wants it
	// PreferredReplica is kafka.NoNode unless the reader should go to another replica (KIP-392).
	PreferredReplica kafka.NodeID
	Records          []Piece // empty for none
}

// EpochEnd is the end offset of a leader epoch.
type EpochEnd struct {
	Epoch     kafka.LeaderEpoch
	EndOffset kafka.Offset
}

// SnapshotID names a snapshot of the metadata log.
type SnapshotID struct {
	EndOffset kafka.Offset
	Epoch     kafka.LeaderEpoch
}

// AbortedTxn is one transaction whose records a read_committed reader drops.
type AbortedTxn struct {
	ProducerID  kafka.ProducerID
	FirstOffset kafka.Offset
}

const (
	fetchFlexible  = 12
	fetchTopicIDs  = 13
	fetchEndpoints = 16
)

// FetchEncoder encodes answers to Fetch, one after another, without allocating once it has grown. Its zero value is ready.
type FetchEncoder struct {
	version  int16
	flexible bool
	dst      []byte // the bytes between the records; they are cut into pieces at the end, since appending may move them
	cuts     []cut
	leaders  []*LeaderHint
	payload  Payload
}

// EncodeFetch encodes one answer.
func EncodeFetch(version int16, a *FetchAnswer) *Payload { return new(FetchEncoder).Encode(version, a) }

// Encode encodes everything but the records, and returns the body as pieces: our bytes and the records' pieces in turn.
// Small answers have one piece. The payload is good until the next call.
func (e *FetchEncoder) Encode(version int16, a *FetchAnswer) *Payload {
	e.version, e.flexible = version, version >= fetchFlexible
	e.dst, e.cuts, e.leaders = e.dst[:0], e.cuts[:0], e.leaders[:0]
	e.dst = appendInt32(e.dst, a.ThrottleMs)
	if version >= 7 {
		e.dst = appendInt16(e.dst, a.ErrorCode)
		e.dst = appendInt32(e.dst, a.SessionID)
	}
	topics := 0
	for i := range a.Partitions {
		if i == 0 || !e.sameTopic(a, i-1, i) {
			topics++
		}
	}
	e.dst = appendCount(e.dst, topics, e.flexible)
	for i := 0; i < len(a.Partitions); {
		i = e.topic(a, i)
	}
	if e.flexible {
		e.dst = appendEndpoints(e.dst, e.leaders)
	}
	e.cutUp()
	e.payload.Release = a.Release
	return &e.payload
}

// keptBytes is how much an encoder that waits for its next answer may hold.
const keptBytes = 16 << 10

// Reset lets go of what the last answer referred to, and of memory that only a large one needs.
func (e *FetchEncoder) Reset() {
	clear(e.leaders)
	clear(e.cuts)
	clear(e.payload.Pieces)
	e.payload.Release = nil
	if cap(e.dst) > keptBytes {
		*e = FetchEncoder{}
	}
}

// cut says that a section of records stands before dst[at].
type cut struct {
	at    int
	piece Piece
}

func (e *FetchEncoder) sameTopic(a *FetchAnswer, i, j int) bool {
	if e.version >= fetchTopicIDs {
		return a.Partitions[i].TopicID == a.Partitions[j].TopicID
	}
	return a.Partitions[i].Topic == a.Partitions[j].Topic
}

// topic encodes the topic that starts at partition i and returns where the next one starts.
func (e *FetchEncoder) topic(a *FetchAnswer, i int) int {
	n := 1
	for i+n < len(a.Partitions) && e.sameTopic(a, i, i+n) {
		n++
	}
	if e.version >= fetchTopicIDs {
		e.dst = append(e.dst, a.Partitions[i].TopicID[:]...)
	} else {
		e.dst = appendText(e.dst, a.Partitions[i].Topic, e.flexible)
	}
	e.dst = appendCount(e.dst, n, e.flexible)
	for j := i; j < i+n; j++ {
		e.partition(&a.Partitions[j])
	}
	if e.flexible {
		e.dst = append(e.dst, 0)
	}
	return i + n
}

func (e *FetchEncoder) partition(p *FetchPartition) {
	dst := appendInt32(e.dst, p.Partition)
	dst = appendInt16(dst, p.ErrorCode)
	dst = appendInt64(dst, p.HighWatermark)
	dst = appendInt64(dst, p.LastStable)
	if e.version >= 5 {
		dst = appendInt64(dst, p.LogStart)
	}
	if p.Aborted == nil {
		dst = appendCount(dst, -1, e.flexible)
	} else {
		dst = appendCount(dst, len(p.Aborted), e.flexible)
	}
	for i := range p.Aborted {
		dst = appendInt64(dst, p.Aborted[i].ProducerID)
		dst = appendInt64(dst, p.Aborted[i].FirstOffset)
		if e.flexible {
			dst = append(dst, 0)
		}
	}
	if e.version >= 11 {
		dst = appendInt32(dst, p.PreferredReplica)
	}
	var size int64
	for i := range p.Records {
		size += p.Records[i].Size()
	}
	e.dst = appendCount(dst, int(size), e.flexible)
	for i := range p.Records {
		if p.Records[i].Size() > 0 {
			e.cuts = append(e.cuts, cut{at: len(e.dst), piece: p.Records[i]})
		}
	}
	if e.flexible {
		e.tags(p)
	}
}

func (e *FetchEncoder) tags(p *FetchPartition) {
	n := byte(0)
	for _, set := range []bool{p.Diverging != nil, p.Leader != nil, p.Snapshot != nil} {
		if set {
			n++
		}
	}
	dst := append(e.dst, n)
	if d := p.Diverging; d != nil {
		dst = append(dst, 0, 13) // 4 + 8 bytes and an empty tag section
		dst = appendInt32(dst, d.Epoch)
		dst = append(appendInt64(dst, d.EndOffset), 0)
	}
	if p.Leader != nil {
		dst = p.Leader.appendTag(dst, 1)
		if e.version >= fetchEndpoints {
			e.leaders = addLeader(e.leaders, p.Leader)
		}
	}
	if s := p.Snapshot; s != nil {
		dst = append(dst, 2, 13)
		dst = appendInt64(dst, s.EndOffset)
		dst = append(appendInt32(dst, s.Epoch), 0)
	}
	e.dst = dst
}

// cutUp makes the payload's pieces.
func (e *FetchEncoder) cutUp() {
	out := e.payload.Pieces[:0]
	from := 0
	for _, c := range e.cuts {
		if c.at > from {
			out = append(out, Piece{Bytes: e.dst[from:c.at]})
			from = c.at
		}
		out = append(out, c.piece)
	}
	if from < len(e.dst) {
		out = append(out, Piece{Bytes: e.dst[from:]})
	}
	e.payload.Pieces = out
}
