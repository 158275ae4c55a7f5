package clean

import (
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/record"
)

// transactions follows the transactions of a log through one pass over its batches, and tells which of their batches are
// wanted for nothing any more (CleanedTransactionMetadata of Apache Kafka 4.3).
type transactions struct {
	coming    []segment.Aborted // not begun yet, ascending by first offset
	committed map[kafka.ProducerID]bool
	aborted   map[kafka.ProducerID]*abortedTxn
	// ended takes the transactions whose marker was read and stays because batches of theirs were read: the transaction
	// index of the output.
	ended func(segment.Aborted)
}

type abortedTxn struct {
	segment.Aborted
	seen bool // a batch of it was read
}

func newTransactions(aborted []segment.Aborted, ended func(segment.Aborted)) *transactions {
	return &transactions{
		coming: aborted, committed: map[kafka.ProducerID]bool{}, aborted: map[kafka.ProducerID]*abortedTxn{}, ended: ended,
	}
}

// read takes the next batch and reports whether it can go: records of an aborted transaction, or a marker of a transaction
// none of whose batches was met.
func (t *transactions) read(b record.Batch) (idle bool, err error) {
	for len(t.coming) > 0 && t.coming[0].First <= b.LastOffset() {
		if next := t.coming[0]; t.aborted[next.Producer] == nil {
			t.aborted[next.Producer] = &abortedTxn{Aborted: next}
		}
		t.coming = t.coming[1:]
	}
	if b.IsControl() {
		return t.control(b)
	}
	if !b.IsTransactional() {
		return false, nil
	}
	if a := t.aborted[b.ProducerID()]; a != nil {
		a.seen = true
		return true, nil
	}
	t.committed[b.ProducerID()] = true
	return false, nil
}

func (t *transactions) control(b record.Batch) (idle bool, err error) {
	if b.Count() == 0 {
		return true, nil // an earlier cleaning emptied it
	}
	kind, _, err := b.Control()
	if err != nil {
		return false, err
	}
	id := b.ProducerID()
	switch kind {
	case record.ControlAbort:
		a := t.aborted[id]
		delete(t.aborted, id)
		if a == nil || !a.seen {
			return true, nil
		}
		t.ended(a.Aborted)
		return false, nil
	case record.ControlCommit:
		met := t.committed[id]
		delete(t.committed, id)
		return !met, nil
	}
	return false, nil
}
