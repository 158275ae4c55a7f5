// Package producer is what one partition knows of the producers that write to it: epochs, the last five batches of each
// (idempotence), open transactions and where the log is stable.
//
// log owns one State per partition, asks Check before it appends a leader's batch and calls Apply after every append and
// in every replay. The state never reads a log, a clock or a disk; the snapshot formats are bytes in and out.
// Invariants: Check changes nothing; Apply of the same batches in the same order gives the same state, whether they were
// appended just now or replayed; a transaction is open from its first batch to its marker.
package producer

import (
	"cmp"
	"slices"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
)

// Origin says who appends.
type Origin uint8

// The origins. A client's batches are checked in every way; a coordinator's sequence numbers are not; a follower takes
// what the leader has decided.
const (
	Client Origin = iota
	Coordinator
	Follower
)

// Marker is the content of a control batch that ends a transaction.
type Marker struct {
	Abort            bool
	CoordinatorEpoch int32
}

// Txn is a transaction with records in this partition. Last is the offset of its marker, NoOffset while it is open.
type Txn struct {
	Producer kafka.ProducerID
	First    kafka.Offset
	Last     kafka.Offset
	Abort    bool
}

// State is the producers of one partition.
type State struct {
	entries map[kafka.ProducerID]*Entry
	open    []Txn // ascending by First
	decided []Txn // ended, with a marker that may not be below the high watermark yet; ascending by First
}

// New returns the state of an empty log.
func New() *State { return &State{entries: map[kafka.ProducerID]*Entry{}} }

// Len returns the number of producers known.
func (s *State) Len() int { return len(s.entries) }

// Entries returns copies of all entries, ascending by id.
func (s *State) Entries() []Entry {
	all := make([]Entry, 0, len(s.entries))
	for _, e := range s.entries {
		all = append(all, *e)
	}
	slices.SortFunc(all, func(a, b Entry) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// Apply notes a data batch that stands in the log.
func (s *State) Apply(b record.Batch, nowMs int64) {
	id := b.ProducerID()
	if id == kafka.NoProducerID {
		return
	}
	e := s.entry(id)
	e.adopt(b.ProducerEpoch())
	e.add(Batch{
		LastOffset: b.LastOffset(), Timestamp: b.MaxTimestamp(), LastSequence: b.LastSequence(), OffsetDelta: b.LastOffsetDelta(),
	})
	e.Timestamp, e.SeenMs = b.MaxTimestamp(), nowMs
	if b.IsTransactional() && e.TxnFirst == kafka.NoOffset {
		e.TxnFirst = b.BaseOffset()
		s.open = insert(s.open, Txn{Producer: id, First: e.TxnFirst, Last: kafka.NoOffset})
	}
}

// ApplyMarker notes a control batch that ends a transaction. It returns the transaction that it ended; a marker without
// data before it ends none.
func (s *State) ApplyMarker(b record.Batch, m Marker, nowMs int64) (Txn, bool) {
	e := s.entry(b.ProducerID())
	first := e.TxnFirst
	e.adopt(b.ProducerEpoch())
	e.CoordinatorEpoch = m.CoordinatorEpoch
	e.Timestamp, e.SeenMs = b.MaxTimestamp(), nowMs
	e.TxnFirst = kafka.NoOffset
	if first == kafka.NoOffset {
		return Txn{}, false
	}
	t := Txn{Producer: e.ID, First: first, Last: b.LastOffset(), Abort: m.Abort}
	s.open = slices.DeleteFunc(s.open, func(o Txn) bool { return o.Producer == e.ID && o.First == first })
	s.decided = insert(s.decided, t)
	return t, true
}

func (s *State) entry(id kafka.ProducerID) *Entry {
	e := s.entries[id]
	if e == nil {
		e = newEntry(id)
		s.entries[id] = e
	}
	return e
}

func insert(txns []Txn, t Txn) []Txn {
	at, _ := slices.BinarySearchFunc(txns, t, func(a, b Txn) int { return cmp.Compare(a.First, b.First) })
	return slices.Insert(txns, at, t)
}

// FirstOpen returns the first offset of the earliest open transaction, or end.
func (s *State) FirstOpen(end kafka.Offset) kafka.Offset {
	if len(s.open) > 0 {
		return s.open[0].First
	}
	return end
}

// LastStable returns the last stable offset under a high watermark: no transaction that is open, or whose marker the
// high watermark has not passed, reaches below it.
func (s *State) LastStable(highWatermark kafka.Offset) kafka.Offset {
	stable := s.FirstOpen(highWatermark)
	for _, t := range s.decided {
		if t.Last >= highWatermark {
			stable = min(stable, t.First)
		}
	}
	return min(stable, highWatermark)
}

// Passed forgets decided transactions whose markers are below the high watermark.
func (s *State) Passed(highWatermark kafka.Offset) {
	if len(s.decided) > 0 {
		s.decided = slices.DeleteFunc(s.decided, func(t Txn) bool { return t.Last < highWatermark })
	}
}

// Expire forgets producers of which nothing was heard for expirationMs and returns how many.
func (s *State) Expire(nowMs, expirationMs int64) int {
	before := len(s.entries)
	for id, e := range s.entries {
		if e.expired(nowMs, expirationMs) {
			delete(s.entries, id)
		}
	}
	return before - len(s.entries)
}
