package producer

import (
	"encoding/binary"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// The history is a side file of ours beside each producer snapshot. Kafka's snapshot keeps one batch of a producer, so
// after a restart Kafka answers the retry of an earlier one with OUT_OF_ORDER_SEQUENCE_NUMBER. A replay could find the
// other four only by reading back as far as the slowest producer; the history is bounded and exact, and a missing or
// foreign one costs nothing but the four.
//
// Format: version int16 = 1, CRC-32C of everything after it, the snapshot's checksum uint32, count int32, then for each
// producer: id int64, seenMs int64, number of batches int8 (1 to 5), and for each batch, oldest first: last sequence
// int32, last offset int64, offset delta int32, timestamp int64.
const (
	historyVersion = 1
	historyHeader  = 14
	historyEntry   = 17
	historyBatch   = 24
)

// AppendHistory appends the history that belongs to the snapshot with the given checksum.
func (s *State) AppendHistory(dst []byte, snapshotSum uint32) []byte {
	at := len(dst)
	dst = binary.BigEndian.AppendUint16(dst, historyVersion)
	dst = binary.BigEndian.AppendUint32(dst, 0)
	dst = binary.BigEndian.AppendUint32(dst, snapshotSum)
	count := len(dst)
	dst = binary.BigEndian.AppendUint32(dst, 0)
	n := uint32(0)
	for _, e := range s.Entries() {
		if e.count == 0 {
			continue
		}
		n++
		dst = binary.BigEndian.AppendUint64(dst, uint64(e.ID))
		dst = binary.BigEndian.AppendUint64(dst, uint64(e.SeenMs))
		dst = append(dst, byte(e.count))
		for _, b := range e.Batches() {
			dst = binary.BigEndian.AppendUint32(dst, uint32(b.LastSequence))
			dst = binary.BigEndian.AppendUint64(dst, uint64(b.LastOffset))
			dst = binary.BigEndian.AppendUint32(dst, uint32(b.OffsetDelta))
			dst = binary.BigEndian.AppendUint64(dst, uint64(b.Timestamp))
		}
	}
	binary.BigEndian.PutUint32(dst[count:], n)
	binary.BigEndian.PutUint32(dst[at+2:], checksum(dst[at+6:]))
	return dst
}

// Remember fills in the batches that a history adds to a state read from the snapshot with the given checksum. A
// history of another snapshot adds nothing, nor does an entry whose last batch is not the snapshot's.
func (s *State) Remember(data []byte, snapshotSum uint32) error {
	const op = "producer.Remember"
	if len(data) < historyHeader || binary.BigEndian.Uint16(data) != historyVersion {
		return fault.Corruption(op, "not a history of version %d", historyVersion)
	}
	if sum := checksum(data[6:]); sum != binary.BigEndian.Uint32(data[2:]) {
		return fault.Corruption(op, "checksum %08x, computed %08x", binary.BigEndian.Uint32(data[2:]), sum)
	}
	if binary.BigEndian.Uint32(data[6:]) != snapshotSum {
		return nil // Kafka has written another snapshot at this offset
	}
	count := binary.BigEndian.Uint32(data[10:])
	body := data[historyHeader:]
	for ; count > 0; count-- {
		if len(body) < historyEntry {
			return fault.Corruption(op, "ends inside an entry")
		}
		id := kafka.ProducerID(binary.BigEndian.Uint64(body))
		seenMs := int64(binary.BigEndian.Uint64(body[8:]))
		n := int(body[16])
		body = body[historyEntry:]
		if n < 1 || n > Remembered || len(body) < n*historyBatch {
			return fault.Corruption(op, "producer %d with %d batches in %d bytes", id, n, len(body))
		}
		s.entries[id].remember(body[:n*historyBatch], seenMs)
		body = body[n*historyBatch:]
	}
	if len(body) != 0 {
		return fault.Corruption(op, "%d bytes too many", len(body))
	}
	return nil
}

func (e *Entry) remember(body []byte, seenMs int64) {
	if e == nil || e.count != 1 {
		return
	}
	var batches [Remembered]Batch
	n := 0
	for ; len(body) > 0; body = body[historyBatch:] {
		batches[n] = Batch{
			LastSequence: int32(binary.BigEndian.Uint32(body)),
			LastOffset:   kafka.Offset(binary.BigEndian.Uint64(body[4:])),
			OffsetDelta:  int32(binary.BigEndian.Uint32(body[12:])),
			Timestamp:    int64(binary.BigEndian.Uint64(body[16:])),
		}
		n++
	}
	mine, theirs := e.batches[0], batches[n-1]
	if mine.LastOffset == theirs.LastOffset && mine.LastSequence == theirs.LastSequence && mine.OffsetDelta == theirs.OffsetDelta {
		e.batches, e.count, e.SeenMs = batches, int8(n), seenMs
	}
}
