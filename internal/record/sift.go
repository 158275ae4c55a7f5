package record

import (
	"encoding/binary"
	"math"
)

// Sieve rewrites batches with some of their records gone, as compaction does. It keeps buffers between batches.
type Sieve struct {
	// Keep decides on each record; it neither waits nor keeps the record.
	Keep func(*Record) bool
	// HorizonMs is the delete horizon of batches that get one (KIP-534): until then their tombstones or marker stay.
	HorizonMs int64

	kept  []byte // records that stay, plain
	moved []byte // the same with other timestamp deltas
}

// Sifted is what is left of a batch.
type Sifted struct {
	Read, Kept int  // records
	Tombstones int  // of those kept, without a value
	Same       bool // every byte stayed
}

// Sift appends to dst what is left of a batch: nothing when no record is kept, the batch as it is when all are and it needs
// no delete horizon, and otherwise a batch of the same offsets, sequences and codec. It gets a horizon when it keeps
// tombstones, or when mark says that its marker is wanted for nothing any more, unless it has one.
func (s *Sieve) Sift(dst []byte, b Batch, mark bool) ([]byte, Sifted, error) {
	var out Sifted
	s.kept = s.kept[:0]
	newest := int64(math.MinInt64)
	err := b.Each(Limits{}, func(r *Record) error {
		out.Read++
		if !s.Keep(r) {
			return nil
		}
		out.Kept++
		if r.Value == nil {
			out.Tombstones++
		}
		newest = max(newest, r.TimestampMs)
		s.kept = append(s.kept, r.raw...)
		return nil
	})
	if err != nil || out.Kept == 0 {
		return dst, out, err
	}
	_, has := b.DeleteHorizon()
	horizon := (out.Tombstones > 0 || mark) && !has
	if out.Kept == out.Read && !horizon {
		out.Same = true
		return append(dst, b...), out, nil
	}
	plain, attrs, baseMs := s.kept, b.Attributes(), b.BaseTimestamp()
	if horizon {
		s.rebase(baseMs - s.HorizonMs)
		plain, attrs, baseMs = s.moved, attrs|AttrDeleteHorizon, s.HorizonMs
	}
	at := len(dst)
	dst = append(dst, b[:HeaderSize]...)
	if dst, err = b.Codec().Compress(dst, -1, plain); err != nil {
		return dst[:at], out, err
	}
	h := Batch(dst[at:])
	h.setLength()
	binary.BigEndian.PutUint16(h[posAttributes:], uint16(attrs))
	binary.BigEndian.PutUint64(h[posBaseTimestamp:], uint64(baseMs))
	binary.BigEndian.PutUint32(h[posCount:], uint32(out.Kept))
	if !b.IsLogAppendTime() {
		binary.BigEndian.PutUint64(h[posMaxTimestamp:], uint64(newest))
	}
	h.Seal()
	return dst, out, nil
}

// rebase moves the kept records with their timestamp deltas shifted.
func (s *Sieve) rebase(shiftMs int64) {
	s.moved = s.moved[:0]
	for rest := s.kept; len(rest) > 0; {
		size, n := binary.Varint(rest)
		body := rest[n : n+int(size)]
		rest = rest[n+int(size):]
		delta, m := binary.Varint(body[1:])
		var moved [binary.MaxVarintLen64]byte
		stamp := binary.AppendVarint(moved[:0], delta+shiftMs)
		s.moved = binary.AppendVarint(s.moved, size-int64(m)+int64(len(stamp)))
		s.moved = append(s.moved, body[0])
		s.moved = append(s.moved, stamp...)
		s.moved = append(s.moved, body[1+m:]...)
	}
}

// AppendEmptied appends the header of a batch whose records are all gone: it still tells its offsets, its producer's last
// sequence and its leader epoch, as Kafka leaves it behind.
func (b Batch) AppendEmptied(dst []byte) []byte {
	at := len(dst)
	dst = append(dst, b[:HeaderSize]...)
	h := Batch(dst[at:])
	h.setLength()
	attrs := b.Attributes() & (AttrLogAppendTime | AttrTransactional | AttrControl)
	binary.BigEndian.PutUint16(h[posAttributes:], uint16(attrs))
	binary.BigEndian.PutUint64(h[posBaseTimestamp:], math.MaxUint64) // -1
	binary.BigEndian.PutUint32(h[posCount:], 0)
	h.Seal()
	return dst
}
