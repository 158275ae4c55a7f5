// Package record is Kafka's record batch, format v2: a view over the bytes, its checks, its records, a builder, the
// control records, and the compression codecs.
//
// log, partition, quorum, coordinator and broker call it. A Batch aliases the caller's bytes and owns nothing. Bytes
// from outside go through Next or Parse, which check every length, before any accessor is called on them.
// It never keeps a slice beyond a call and never does IO.
package record

import (
	"encoding/binary"

	"github.com/milena-io/milena/internal/kafka"
)

// Sizes and positions in a batch (on-disk format of Apache Kafka, magic 2). All integers are big-endian.
const (
	HeaderSize  = 61 // bytes before the first record
	LogOverhead = 12 // base offset and length: the bytes that the length field does not count
	Magic       = 2

	posLength          = 8
	posLeaderEpoch     = 12
	posMagic           = 16
	posCRC             = 17
	posAttributes      = 21 // CRC-32C covers from here to the end
	posLastOffsetDelta = 23
	posBaseTimestamp   = 27
	posMaxTimestamp    = 35
	posProducerID      = 43
	posProducerEpoch   = 51
	posBaseSequence    = 53
	posCount           = 57
)

// Attribute bits.
const (
	AttrCodecMask     = 0x07
	AttrLogAppendTime = 0x08
	AttrTransactional = 0x10
	AttrControl       = 0x20
	AttrDeleteHorizon = 0x40
)

// Batch is the bytes of one whole batch, header and records.
type Batch []byte

// BaseOffset returns the offset of the first record.
func (b Batch) BaseOffset() kafka.Offset { return kafka.Offset(binary.BigEndian.Uint64(b)) }

// LastOffset returns the offset of the last record, also when compaction emptied the batch.
func (b Batch) LastOffset() kafka.Offset { return b.BaseOffset() + kafka.Offset(b.LastOffsetDelta()) }

// NextOffset returns LastOffset + 1.
func (b Batch) NextOffset() kafka.Offset { return b.LastOffset() + 1 }

// LeaderEpoch returns the epoch the leader stamped; it is not covered by the CRC.
func (b Batch) LeaderEpoch() kafka.LeaderEpoch {
	return kafka.LeaderEpoch(binary.BigEndian.Uint32(b[posLeaderEpoch:]))
}

// Magic returns the format version.
func (b Batch) Magic() int8 { return int8(b[posMagic]) }

// CRC returns the stored CRC-32C.
func (b Batch) CRC() uint32 { return binary.BigEndian.Uint32(b[posCRC:]) }

// Attributes returns the attribute bits.
func (b Batch) Attributes() int16 { return int16(binary.BigEndian.Uint16(b[posAttributes:])) }

// Codec returns the compression codec.
func (b Batch) Codec() Codec { return Codec(b.Attributes() & AttrCodecMask) }

// IsLogAppendTime reports whether MaxTimestamp is the broker's append time for every record.
func (b Batch) IsLogAppendTime() bool { return b.Attributes()&AttrLogAppendTime != 0 }

// IsTransactional reports whether the batch belongs to a transaction.
func (b Batch) IsTransactional() bool { return b.Attributes()&AttrTransactional != 0 }

// IsControl reports whether the batch holds a control record.
func (b Batch) IsControl() bool { return b.Attributes()&AttrControl != 0 }

// DeleteHorizon returns when the tombstones or the marker of the batch may go, in ms: compaction has set it, once all that
// they delete was gone (KIP-534). false when it has not.
func (b Batch) DeleteHorizon() (int64, bool) {
	return b.BaseTimestamp(), b.Attributes()&AttrDeleteHorizon != 0
}

// LastOffsetDelta returns last offset minus base offset.
func (b Batch) LastOffsetDelta() int32 { return int32(binary.BigEndian.Uint32(b[posLastOffsetDelta:])) }

// BaseTimestamp returns the timestamp that record deltas count from, in ms.
func (b Batch) BaseTimestamp() int64 { return int64(binary.BigEndian.Uint64(b[posBaseTimestamp:])) }

// MaxTimestamp returns the largest timestamp of the batch, in ms.
func (b Batch) MaxTimestamp() int64 { return int64(binary.BigEndian.Uint64(b[posMaxTimestamp:])) }

// ProducerID returns the producer's id or NoProducerID, which every negative number is (Kafka's hasProducerId).
func (b Batch) ProducerID() kafka.ProducerID {
	return max(kafka.ProducerID(binary.BigEndian.Uint64(b[posProducerID:])), kafka.NoProducerID)
}

// ProducerEpoch returns the producer's epoch, -1 for none.
func (b Batch) ProducerEpoch() kafka.ProducerEpoch {
	return kafka.ProducerEpoch(binary.BigEndian.Uint16(b[posProducerEpoch:]))
}

// BaseSequence returns the first sequence number, -1 for none.
func (b Batch) BaseSequence() int32 { return int32(binary.BigEndian.Uint32(b[posBaseSequence:])) }

// LastSequence returns the last sequence number; sequences wrap from 2147483647 to 0.
func (b Batch) LastSequence() int32 {
	first := b.BaseSequence()
	if first < 0 {
		return first
	}
	return int32((int64(first) + int64(b.LastOffsetDelta())) & 0x7fffffff)
}

// Count returns the number of records the header claims.
func (b Batch) Count() int32 { return int32(binary.BigEndian.Uint32(b[posCount:])) }

// SetBaseOffset patches the base offset; the CRC does not cover it.
func (b Batch) SetBaseOffset(o kafka.Offset) { binary.BigEndian.PutUint64(b, uint64(o)) }

// SetLeaderEpoch patches the leader epoch; the CRC does not cover it.
func (b Batch) SetLeaderEpoch(e kafka.LeaderEpoch) {
	binary.BigEndian.PutUint32(b[posLeaderEpoch:], uint32(e))
}
