package coordinator

import (
	"errors"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
	rec "github.com/milena-io/milena/internal/staterecord/group"
)

// writes are the records of a shard on their way into the log. One batch is being written; later ones wait.
type writes struct {
	next      kafka.Offset // where the next record decided will stand: this shard is the log's only writer
	committed kafka.Offset // one past the last committed record
	busy      *write
	queue     []*write
}

// write is one batch.
type write struct {
	base    kafka.Offset
	builder *record.Builder
}

func (w *write) end() kafka.Offset { return w.base + kafka.Offset(w.builder.Count()) }

// recordOverhead bounds the bytes of a record beside its key and value: four lengths and an offset of five bytes each, a
// timestamp of ten, attributes and headers of one.
const recordOverhead = 4*5 + 10 + 2

// encoded is a record as bytes.
type encoded struct{ key, value []byte }

func (e encoded) size() int { return len(e.key) + len(e.value) + recordOverhead }

// encode writes records as bytes, and refuses them all when one of them is larger than any batch may be.
func encode(records []rec.Record, maxBytes int) ([]encoded, error) {
	out := make([]encoded, len(records))
	for i, r := range records {
		out[i].key, out[i].value = rec.Encode(r)
		if n := out[i].size(); n > maxBytes-record.HeaderSize {
			return nil, fault.New("coordinator", kafka.ErrUnknownServerError, "a record of %d bytes is larger than max.message.bytes of %s (%d)",
				n, kafka.OffsetsTopic, maxBytes)
		}
	}
	return out, nil
}

// add queues records, in as few batches as their size allows.
func (w *writes) add(nowMs int64, records []encoded, maxBytes int) {
	for _, r := range records {
		last := len(w.queue) - 1
		if last < 0 || w.queue[last].builder.Size()+r.size() > maxBytes {
			w.queue = append(w.queue, &write{base: w.next, builder: record.NewBuilder(record.Plain())})
			last++
		}
		w.queue[last].builder.Append(nowMs, r.key, r.value)
		w.next++
	}
}

// start returns the batch to be written now, or nil while one is.
func (w *writes) start() *write {
	if w.busy != nil || len(w.queue) == 0 {
		return nil
	}
	w.busy, w.queue = w.queue[0], w.queue[1:]
	return w.busy
}

// batch returns the bytes of a write.
func (w *write) batch() record.Batch { return must.Get(w.builder.Build()) } // only codecs fail, and there is none

// finish says that a batch is settled; it reports false for one of a shard that was loaded anew since.
func (w *writes) finish(b *write) bool {
	if w.busy != b {
		return false
	}
	w.busy = nil
	return true
}

// revert forgets everything from an offset on.
func (w *writes) revert(to kafka.Offset) {
	w.busy, w.queue, w.next = nil, nil, to
}

// nothingWritten reports whether an append was refused before a byte reached the log, so that the state from before
// it still is the log's.
func nothingWritten(err error) bool {
	switch fault.CodeOf(err) {
	case kafka.ErrNotEnoughReplicas, kafka.ErrMessageTooLarge, kafka.ErrRecordListTooLarge, kafka.ErrInvalidRecord:
		return true
	}
	return false
}

// appendError is what clients are told of an append that failed, as Kafka's coordinator translates it.
func appendError(err error) error {
	told := kafka.ErrNotCoordinator
	switch fault.CodeOf(err) {
	case kafka.ErrUnknownTopicOrPartition, kafka.ErrNotEnoughReplicas, kafka.ErrNotEnoughReplicasAfterAppend, kafka.ErrRequestTimedOut:
		told = kafka.ErrCoordinatorNotAvailable
	case kafka.ErrMessageTooLarge, kafka.ErrRecordListTooLarge, kafka.ErrInvalidFetchSize, kafka.ErrInvalidRecord:
		told = kafka.ErrUnknownServerError
	}
	e := fault.New("coordinator", told, "the group's records could not be written")
	e.Cause = err
	var cause *fault.Error
	if errors.As(err, &cause) {
		e.Kind = cause.Kind
	}
	return e
}
