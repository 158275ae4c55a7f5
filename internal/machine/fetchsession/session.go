// Package fetchsession decides incremental fetch sessions (KIP-227): which partitions a Fetch asks for, which of its
// answers the client must see, and which session makes room for a new one.
//
// It is pure: broker/fetch holds a Cache under a lock and passes in times and ids. It never reads a log.
//
// Invariants: a session's epoch runs 1..MaxInt32 and wraps to 1; an answer of an incremental fetch leaves out only
// partitions with no error, no records, no moved high watermark and no moved log start; partitions that returned
// records move to the back, so that a byte limit never starves the tail.
package fetchsession

import (
	"math"

	"github.com/milena-io/milena/internal/kafka"
)

// Epochs and ids with a meaning of their own (KIP-227).
const (
	InitialEpoch int32 = 0  // full fetch that asks for a new session
	FinalEpoch   int32 = -1 // full fetch without a session; closes the named one
	NoSession    int32 = 0
)

// Key names a partition within a request: by id from Fetch v13 on, by name before.
type Key struct {
	TopicID   kafka.TopicID
	Topic     string
	Partition int32
}

// Partition is one partition a client fetches, as last asked for.
type Partition struct {
	Key
	FetchOffset      kafka.Offset
	LogStartOffset   kafka.Offset // a follower's; -1 from consumers
	MaxBytes         int32
	CurrentEpoch     kafka.LeaderEpoch
	LastFetchedEpoch kafka.LeaderEpoch
	HighWatermark    kafka.Offset // a follower's view, -1 when not told (KIP-1166)
	Durable          kafka.Offset // a follower's, -1 when not told

	sentHigh  kafka.Offset
	sentStart kafka.Offset
	inError   bool
}

// Told is the high watermark that whoever fetches knows, as far as we do: what it said or what it was answered.
func (p *Partition) Told() kafka.Offset { return max(p.HighWatermark, p.sentHigh) }

// Answer is what decides whether a partition's answer is sent.
type Answer struct {
	Err           kafka.ErrorCode
	Bytes         int
	HighWatermark kafka.Offset
	LogStart      kafka.Offset
	Always        bool // a diverging epoch, a preferred replica: must be told
}

// Session is the set of partitions of one fetcher, in the order they will be read.
type Session struct {
	id       int32
	epoch    int32 // expected of the next request
	byID     bool  // whether its requests name topics by id
	follower bool  // of a broker that replicates
	index    map[Key]*node
	head     node // ring; head.next is read first
	lastUsed kafka.Instant
	created  kafka.Instant
}

// PartitionBytes is the memory that a session takes for each of its partitions: a node, its place in the index, and the
// share of a map that is half full.
const PartitionBytes = 336

type node struct {
	Partition
	prev, next *node
}

func newSession(byID bool) *Session {
	s := &Session{byID: byID, index: make(map[Key]*node)}
	s.head.prev, s.head.next = &s.head, &s.head
	return s
}

// ID returns the id to answer with; NoSession when the fetch has none.
func (s *Session) ID() int32 { return s.id }

// Len returns the number of partitions.
func (s *Session) Len() int { return len(s.index) }

// AppendTo appends the partitions in reading order, as they stand now.
func (s *Session) AppendTo(dst []Partition) []Partition {
	for n := s.head.next; n != &s.head; n = n.next {
		dst = append(dst, n.Partition)
	}
	return dst
}

// put adds a partition at the back or updates its position.
func (s *Session) put(p Partition) {
	if n, ok := s.index[p.Key]; ok {
		p.sentHigh, p.sentStart, p.inError = n.sentHigh, n.sentStart, n.inError
		if p.HighWatermark >= 0 {
			p.sentHigh = p.HighWatermark // what it was answered it may not have believed (KIP-1166)
		}
		if s.follower && p.LogStartOffset >= 0 {
			p.sentStart = p.LogStartOffset // likewise: of an answer that the logs part it takes where they do, and nothing else
		}
		n.Partition = p
		return
	}
	p.sentHigh, p.sentStart = kafka.NoOffset, kafka.NoOffset
	n := &node{Partition: p}
	s.index[p.Key] = n
	s.pushBack(n)
}

func (s *Session) forget(k Key) {
	if n, ok := s.index[k]; ok {
		n.unlink()
		delete(s.index, k)
	}
}

func (s *Session) pushBack(n *node) {
	n.prev, n.next = s.head.prev, &s.head
	n.prev.next, s.head.prev = n, n
}

func (n *node) unlink() { n.prev.next, n.next.prev = n.next, n.prev }

// Answered decides whether a partition's answer goes into an incremental response, and remembers what was told.
// Call it once for each partition of the response, in order.
func (s *Session) Answered(k Key, a Answer) (include bool) {
	n, ok := s.index[k]
	if !ok {
		return true
	}
	include = a.Bytes > 0 || a.Always || a.HighWatermark != n.sentHigh || a.LogStart != n.sentStart || n.inError
	n.sentHigh, n.sentStart, n.inError = a.HighWatermark, a.LogStart, false
	if a.Err != kafka.ErrNone {
		// The next answer without an error must be told as well, so forget what was sent.
		n.sentHigh, n.inError = kafka.NoOffset, true
		include = true
	}
	if include && a.Bytes > 0 {
		n.unlink()
		s.pushBack(n)
	}
	return include
}

// nextEpoch follows KIP-227: after the largest comes 1, never 0.
func nextEpoch(e int32) int32 {
	if e < 0 {
		return FinalEpoch
	}
	if e == math.MaxInt32 {
		return 1
	}
	return e + 1
}
