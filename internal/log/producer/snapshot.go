package producer

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// Kafka's producer snapshot: version int16 = 1, CRC-32C of everything after it, count int32, then entries of 46 bytes:
// producer id int64, epoch int16, last sequence int32, last offset int64, offset delta int32, timestamp int64,
// coordinator epoch int32, first offset of the open transaction int64. It keeps one batch per producer.
const (
	snapshotVersion = 1
	snapshotHeader  = 10
	snapshotEntry   = 46
)

// AppendSnapshot appends the state in Kafka's format, entries ascending by id.
func (s *State) AppendSnapshot(dst []byte) []byte {
	at := len(dst)
	dst = binary.BigEndian.AppendUint16(dst, snapshotVersion)
	dst = binary.BigEndian.AppendUint32(dst, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(s.entries)))
	for _, e := range s.Entries() {
		last := Batch{LastOffset: kafka.NoOffset, LastSequence: noSequence}
		if e.count > 0 {
			last = e.batches[e.count-1]
		}
		dst = binary.BigEndian.AppendUint64(dst, uint64(e.ID))
		dst = binary.BigEndian.AppendUint16(dst, uint16(e.Epoch))
		dst = binary.BigEndian.AppendUint32(dst, uint32(last.LastSequence))
		dst = binary.BigEndian.AppendUint64(dst, uint64(last.LastOffset))
		dst = binary.BigEndian.AppendUint32(dst, uint32(last.OffsetDelta))
		dst = binary.BigEndian.AppendUint64(dst, uint64(e.Timestamp))
		dst = binary.BigEndian.AppendUint32(dst, uint32(e.CoordinatorEpoch))
		dst = binary.BigEndian.AppendUint64(dst, uint64(e.TxnFirst))
	}
	binary.BigEndian.PutUint32(dst[at+2:], checksum(dst[at+6:]))
	return dst
}

// SnapshotChecksum returns the checksum stored in a parsed snapshot; the history beside it names it.
func SnapshotChecksum(data []byte) uint32 { return binary.BigEndian.Uint32(data[2:]) }

// ParseSnapshot reads Kafka's format.
func ParseSnapshot(data []byte) (*State, error) {
	const op = "producer.ParseSnapshot"
	if len(data) < snapshotHeader {
		return nil, fault.Corruption(op, "%d bytes are too few", len(data))
	}
	if v := binary.BigEndian.Uint16(data); v != snapshotVersion {
		return nil, fault.Corruption(op, "unknown version %d", v)
	}
	if sum := checksum(data[6:]); sum != binary.BigEndian.Uint32(data[2:]) {
		return nil, fault.Corruption(op, "checksum %08x, computed %08x", binary.BigEndian.Uint32(data[2:]), sum)
	}
	count := int64(int32(binary.BigEndian.Uint32(data[6:])))
	body := data[snapshotHeader:]
	if count < 0 || count*snapshotEntry != int64(len(body)) {
		return nil, fault.Corruption(op, "%d entries in %d bytes", count, len(body))
	}
	s := New()
	for ; len(body) > 0; body = body[snapshotEntry:] {
		e := newEntry(kafka.ProducerID(binary.BigEndian.Uint64(body)))
		e.Epoch = kafka.ProducerEpoch(binary.BigEndian.Uint16(body[8:]))
		last := Batch{
			LastSequence: int32(binary.BigEndian.Uint32(body[10:])),
			LastOffset:   kafka.Offset(binary.BigEndian.Uint64(body[14:])),
			OffsetDelta:  int32(binary.BigEndian.Uint32(body[22:])),
			Timestamp:    int64(binary.BigEndian.Uint64(body[26:])),
		}
		e.Timestamp = last.Timestamp
		e.CoordinatorEpoch = int32(binary.BigEndian.Uint32(body[34:]))
		e.TxnFirst = kafka.Offset(binary.BigEndian.Uint64(body[38:]))
		if last.LastOffset >= 0 {
			e.add(last)
		}
		if _, twice := s.entries[e.ID]; twice || e.ID < 0 || e.TxnFirst < kafka.NoOffset {
			return nil, fault.Corruption(op, "bad entry of producer %d", e.ID)
		}
		s.entries[e.ID] = e
		if e.TxnFirst != kafka.NoOffset {
			s.open = insert(s.open, Txn{Producer: e.ID, First: e.TxnFirst, Last: kafka.NoOffset})
		}
	}
	return s, nil
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }
