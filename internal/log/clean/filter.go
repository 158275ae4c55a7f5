package clean

import (
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
)

// LastRecord is what must survive of a producer that is still active: the batch with its last sequence, or, where it has
// written nothing in its epoch, the markers of that epoch.
type LastRecord struct {
	Data  kafka.Offset // of the last data record, NoOffset for none
	Epoch kafka.ProducerEpoch
}

// filter decides what of each batch survives (Cleaner.cleanInto of Apache Kafka 4.3).
type filter struct {
	keys      *KeyMap
	txns      *transactions
	producers map[kafka.ProducerID]LastRecord
	nowMs     int64
	sieve     record.Sieve

	batch   record.Batch // at hand
	discard bool         // none of its records is wanted
	horizon int64        // its delete horizon, -1 for none
	keyless int          // records without a key, which go
}

func newFilter(keys *KeyMap, txns *transactions, producers map[kafka.ProducerID]LastRecord, nowMs, deleteRetentionMs int64) *filter {
	f := &filter{keys: keys, txns: txns, producers: producers, nowMs: nowMs}
	f.sieve = record.Sieve{Keep: f.keep, HorizonMs: nowMs + deleteRetentionMs}
	return f
}

// apply appends to dst what survives of a batch. Of the last batch of an output at least the header does, so that the
// output ends where its sources did.
func (f *filter) apply(dst []byte, b record.Batch, last bool) ([]byte, record.Sifted, error) {
	idle, err := f.txns.read(b)
	if err != nil {
		return dst, record.Sifted{}, err
	}
	horizon, has := b.DeleteHorizon()
	if !has {
		horizon = -1
	}
	f.batch, f.horizon = b, horizon
	// A marker goes only after the readers of its transaction have had time to pass it.
	f.discard = idle && (!b.IsControl() || has && horizon <= f.nowMs)
	header := last || f.lastOfProducer(b)
	if f.discard && !header {
		return dst, record.Sifted{Read: int(b.Count())}, nil
	}
	at := len(dst)
	dst, out, err := f.sieve.Sift(dst, b, idle && b.IsControl())
	if err == nil && out.Kept == 0 && header {
		dst = b.AppendEmptied(dst)
		out.Same = b.Count() == 0 && len(dst)-at == len(b)
	}
	return dst, out, err
}

// lastOfProducer reports whether a batch holds what is known last of an active producer.
func (f *filter) lastOfProducer(b record.Batch) bool {
	if b.ProducerID() == kafka.NoProducerID {
		return false
	}
	p, active := f.producers[b.ProducerID()]
	switch {
	case !active:
		return false
	case p.Data != kafka.NoOffset:
		return b.LastOffset() == p.Data
	}
	return b.IsControl() && b.ProducerEpoch() == p.Epoch
}

// keep decides on one record: the last of its key stays, as a tombstone until the horizon that its batch was given when it
// was compacted first.
func (f *filter) keep(r *record.Record) bool {
	switch {
	case f.discard:
		return false
	case f.batch.IsControl() || r.Offset >= f.keys.UpTo():
		return true
	case r.Key == nil:
		f.keyless++
		return false
	}
	return r.Offset >= f.keys.Last(r.Key) && (r.Value != nil || f.horizon < 0 || f.nowMs < f.horizon)
}
