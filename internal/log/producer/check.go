package producer

import (
	"math"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/mutant"
	"github.com/milena-io/milena/internal/record"
)

const op = "producer.Check"

// Duplicate returns the remembered batch that b repeats. Only a client's batch can be a retry.
func (s *State) Duplicate(b record.Batch, origin Origin) (Batch, bool) {
	if origin != Client {
		return Batch{}, false
	}
	e := s.entries[b.ProducerID()]
	if e == nil {
		return Batch{}, false
	}
	return e.duplicateOf(b)
}

// Check decides whether a data batch with a producer id may be appended at an offset: its epoch must not be old, a
// client's sequence must continue, and inside a transaction every batch is transactional (ProducerAppendInfo of Apache
// Kafka 4.3). Duplicates have been answered before.
func (s *State) Check(b record.Batch, at kafka.Offset, origin Origin) error {
	if origin == Follower {
		return nil
	}
	e := s.entries[b.ProducerID()]
	if e == nil {
		return nil // nothing known, so any sequence begins (KIP-360)
	}
	if err := e.checkEpoch(b.ProducerEpoch(), at); err != nil {
		return err
	}
	if origin == Client {
		if err := e.checkSequence(b, at); err != nil {
			return err
		}
	}
	if e.TxnFirst != kafka.NoOffset && !b.IsTransactional() {
		return fault.New(op, kafka.ErrInvalidTxnState,
			"Expected transactional write from producer %d at offset %d", e.ID, at)
	}
	return nil
}

// CheckMarker decides whether a control batch may end this producer's transaction.
func (s *State) CheckMarker(b record.Batch, m Marker, at kafka.Offset, origin Origin) error {
	e := s.entries[b.ProducerID()]
	if origin == Follower || e == nil {
		return nil
	}
	if err := e.checkEpoch(b.ProducerEpoch(), at); err != nil {
		return err
	}
	if e.CoordinatorEpoch > m.CoordinatorEpoch {
		return fault.New(op, kafka.ErrTransactionCoordinatorFenced,
			"Invalid coordinator epoch for producerId %d at offset %d: %d (zombie), %d (current)",
			e.ID, at, m.CoordinatorEpoch, e.CoordinatorEpoch)
	}
	return nil
}

// Open reports whether the producer has an open transaction in this epoch.
func (s *State) Open(id kafka.ProducerID, epoch kafka.ProducerEpoch) bool {
	e := s.entries[id]
	return e != nil && e.TxnFirst != kafka.NoOffset && e.Epoch == epoch
}

func (e *Entry) checkEpoch(epoch kafka.ProducerEpoch, at kafka.Offset) error {
	if epoch < e.Epoch {
		return fault.New(op, kafka.ErrInvalidProducerEpoch,
			"Epoch of producer %d at offset %d is %d, which is smaller than the last seen epoch %d", e.ID, at, epoch, e.Epoch)
	}
	return nil
}

// checkSequence is point 8 of the places where clones go wrong: a gap or an old sequence is always
// OUT_OF_ORDER_SEQUENCE_NUMBER, never DUPLICATE_SEQUENCE_NUMBER.
func (e *Entry) checkSequence(b record.Batch, at kafka.Offset) error {
	first := b.BaseSequence()
	if b.ProducerEpoch() != e.Epoch {
		if first != 0 && e.Epoch != -1 {
			return fault.New(op, kafka.ErrOutOfOrderSequenceNumber,
				"Invalid sequence number for new epoch of producer %d at offset %d: %d (request epoch), %d (seq. number), %d (current producer epoch)",
				e.ID, at, b.ProducerEpoch(), first, e.Epoch)
		}
		return nil
	}
	last := e.LastSequence()
	if int64(first) == int64(last)+1 || first == 0 && last == math.MaxInt32 || first > last && mutant.On(mutant.SequenceGap) {
		return nil
	}
	return fault.New(op, kafka.ErrOutOfOrderSequenceNumber,
		"Out of order sequence number for producer %d at offset %d: %d (incoming seq. number), %d (current end sequence number)",
		e.ID, at, first, last)
}
