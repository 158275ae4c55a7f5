package record

import (
	"encoding/binary"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
)

// Options say what stands in the header of a batch that is built. The zero value is not usable: ids and epochs that are
// none are -1; start from Plain.
type Options struct {
	Codec         Codec
	Level         int // of the codec; -1 for its default
	LogAppendTime bool
	Transactional bool
	Control       bool
	BaseOffset    kafka.Offset
	LeaderEpoch   kafka.LeaderEpoch
	ProducerID    kafka.ProducerID
	ProducerEpoch kafka.ProducerEpoch
	BaseSequence  int32
}

// Plain is a batch of no producer at offset 0.
func Plain() Options {
	return Options{Level: -1, LeaderEpoch: kafka.NoLeaderEpoch, ProducerID: kafka.NoProducerID, ProducerEpoch: -1, BaseSequence: -1}
}

// Builder makes one batch.
type Builder struct {
	o         Options
	records   []byte
	scratch   []byte
	count     int32
	baseMs    int64
	maxMs     int64
	lastDelta int32
}

// NewBuilder starts an empty batch.
func NewBuilder(o Options) *Builder { return &Builder{o: o} }

// Append adds a record at the next offset. A nil key or value is null.
func (b *Builder) Append(timestampMs int64, key, value []byte, headers ...Header) {
	delta := int32(0)
	if b.count > 0 {
		delta = b.lastDelta + 1
	}
	b.AppendAt(delta, timestampMs, key, value, headers...)
}

// AppendAt adds a record at an offset delta of its own, as compaction leaves behind; deltas rise.
func (b *Builder) AppendAt(delta int32, timestampMs int64, key, value []byte, headers ...Header) {
	must.Hold(b.count == 0 || delta > b.lastDelta, "record at offset delta %d after %d", delta, b.lastDelta)
	if b.count == 0 {
		b.baseMs, b.maxMs = timestampMs, timestampMs
	}
	b.maxMs = max(b.maxMs, timestampMs)
	body := append(b.scratch[:0], 0) // attributes, unused
	body = binary.AppendVarint(body, timestampMs-b.baseMs)
	body = binary.AppendVarint(body, int64(delta))
	body = appendBytes(body, key)
	body = appendBytes(body, value)
	body = binary.AppendVarint(body, int64(len(headers)))
	for _, h := range headers {
		body = binary.AppendVarint(body, int64(len(h.Key)))
		body = append(body, h.Key...)
		body = appendBytes(body, h.Value)
	}
	b.scratch = body
	b.records = binary.AppendVarint(b.records, int64(len(body)))
	b.records = append(b.records, body...)
	b.lastDelta = delta
	b.count++
}

func appendBytes(dst, p []byte) []byte {
	if p == nil {
		return binary.AppendVarint(dst, -1)
	}
	return append(binary.AppendVarint(dst, int64(len(p))), p...)
}

// Count returns the number of records so far.
func (b *Builder) Count() int { return int(b.count) }

// Size returns the bytes of the batch so far, before compression.
func (b *Builder) Size() int { return HeaderSize + len(b.records) }

// Build returns the batch. Errors are the codec's.
func (b *Builder) Build() (Batch, error) {
	attrs := int16(b.o.Codec)
	for bit, on := range map[int16]bool{AttrLogAppendTime: b.o.LogAppendTime, AttrTransactional: b.o.Transactional, AttrControl: b.o.Control} {
		if on {
			attrs |= bit
		}
	}
	out := make([]byte, HeaderSize, HeaderSize+len(b.records))
	out, err := b.o.Codec.Compress(out, b.o.Level, b.records)
	if err != nil {
		return nil, err
	}
	h := Batch(out)
	h.SetBaseOffset(b.o.BaseOffset)
	binary.BigEndian.PutUint32(h[posLength:], uint32(len(h)-LogOverhead))
	h.SetLeaderEpoch(b.o.LeaderEpoch)
	h[posMagic] = Magic
	binary.BigEndian.PutUint16(h[posAttributes:], uint16(attrs))
	binary.BigEndian.PutUint32(h[posLastOffsetDelta:], uint32(b.lastDelta))
	binary.BigEndian.PutUint64(h[posBaseTimestamp:], uint64(b.baseMs))
	binary.BigEndian.PutUint64(h[posMaxTimestamp:], uint64(b.maxMs))
	binary.BigEndian.PutUint64(h[posProducerID:], uint64(b.o.ProducerID))
	binary.BigEndian.PutUint16(h[posProducerEpoch:], uint16(b.o.ProducerEpoch))
	binary.BigEndian.PutUint32(h[posBaseSequence:], uint32(b.o.BaseSequence))
	binary.BigEndian.PutUint32(h[posCount:], uint32(b.count))
	h.Seal()
	return h, nil
}
