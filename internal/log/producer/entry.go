package producer

import (
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
)

// Remembered is how many batches of a producer are kept to recognise a retry: clients keep at most five in flight.
const Remembered = 5

// noSequence is Kafka's mark of "no sequence number".
const noSequence = -1

// Batch is what is remembered of one appended batch.
type Batch struct {
	LastOffset   kafka.Offset
	Timestamp    int64 // the batch's largest, in ms
	LastSequence int32
	OffsetDelta  int32 // last minus first offset, and last minus first sequence
}

// FirstOffset returns the offset of the batch's first record.
func (b Batch) FirstOffset() kafka.Offset { return b.LastOffset - kafka.Offset(b.OffsetDelta) }

// FirstSequence returns the sequence of the batch's first record; sequences wrap from 2147483647 to 0.
func (b Batch) FirstSequence() int32 {
	if b.LastSequence < 0 {
		return b.LastSequence
	}
	return (b.LastSequence - b.OffsetDelta) & 0x7fffffff
}

// Entry is what a partition knows of one producer.
type Entry struct {
	ID               kafka.ProducerID
	Epoch            kafka.ProducerEpoch
	CoordinatorEpoch int32
	Timestamp        int64        // ms; of the last batch or marker, as Kafka's snapshot stores it
	SeenMs           int64        // wall time when this broker appended its last batch or marker
	TxnFirst         kafka.Offset // first offset of the open transaction, NoOffset for none
	count            int8
	batches          [Remembered]Batch // oldest first
}

func newEntry(id kafka.ProducerID) *Entry {
	return &Entry{ID: id, Epoch: -1, CoordinatorEpoch: -1, Timestamp: -1, TxnFirst: kafka.NoOffset}
}

// Batches returns the remembered batches, oldest first; the slice aliases the entry.
func (e *Entry) Batches() []Batch { return e.batches[:e.count] }

// LastSequence returns the sequence of the last record, -1 when no batch is remembered.
func (e *Entry) LastSequence() int32 {
	if e.count == 0 {
		return noSequence
	}
	return e.batches[e.count-1].LastSequence
}

// adopt moves the entry to an epoch; batches of another epoch are no longer retries of anything.
func (e *Entry) adopt(epoch kafka.ProducerEpoch) {
	if e.Epoch != epoch {
		e.Epoch, e.count = epoch, 0
	}
}

// add remembers a batch and forgets the oldest beyond five.
func (e *Entry) add(b Batch) {
	if e.count == Remembered {
		copy(e.batches[:], e.batches[1:])
		e.count--
	}
	e.batches[e.count] = b
	e.count++
}

// duplicateOf finds the remembered batch that b repeats: same epoch, first and last sequence.
func (e *Entry) duplicateOf(b record.Batch) (Batch, bool) {
	if b.ProducerEpoch() != e.Epoch {
		return Batch{}, false
	}
	first, last := b.BaseSequence(), b.LastSequence()
	for _, known := range e.Batches() {
		if known.LastSequence == last && known.FirstSequence() == first {
			return known, true
		}
	}
	return Batch{}, false
}

// expired reports whether nothing was heard of the producer for the given time. An open transaction keeps its
// producer. The later of the two clocks counts: a client that sends old timestamps is not forgotten at once.
func (e *Entry) expired(nowMs, expirationMs int64) bool {
	return e.TxnFirst == kafka.NoOffset && nowMs-max(e.Timestamp, e.SeenMs) >= expirationMs
}
