package segment

import (
	"encoding/binary"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// AbortedSize is the width of a transaction index entry: version int16 = 0, producer id, first offset, last offset and
// last stable offset, each int64.
const AbortedSize = 34

// Aborted is one aborted transaction: its first data offset, the offset of its marker, and the last stable offset when
// the marker was written.
type Aborted struct {
	Producer   kafka.ProducerID
	First      kafka.Offset
	Last       kafka.Offset
	LastStable kafka.Offset
}

// Append appends the entry in Kafka's format.
func (a Aborted) Append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, 0)
	dst = binary.BigEndian.AppendUint64(dst, uint64(a.Producer))
	dst = binary.BigEndian.AppendUint64(dst, uint64(a.First))
	dst = binary.BigEndian.AppendUint64(dst, uint64(a.Last))
	return binary.BigEndian.AppendUint64(dst, uint64(a.LastStable))
}

// ParseTxnIndex reads a whole transaction index of a segment that begins at base. Entries stand in the order of their
// markers.
func ParseTxnIndex(data []byte, base kafka.Offset) ([]Aborted, error) {
	const op = "segment.ParseTxnIndex"
	if len(data)%AbortedSize != 0 {
		return nil, fault.Corruption(op, "%d bytes are no multiple of %d", len(data), AbortedSize)
	}
	entries := make([]Aborted, 0, len(data)/AbortedSize)
	last := kafka.NoOffset
	for ; len(data) > 0; data = data[AbortedSize:] {
		if v := binary.BigEndian.Uint16(data); v != 0 {
			return nil, fault.Corruption(op, "unknown version %d", v)
		}
		a := Aborted{
			Producer:   kafka.ProducerID(binary.BigEndian.Uint64(data[2:])),
			First:      kafka.Offset(binary.BigEndian.Uint64(data[10:])),
			Last:       kafka.Offset(binary.BigEndian.Uint64(data[18:])),
			LastStable: kafka.Offset(binary.BigEndian.Uint64(data[26:])),
		}
		if a.Last <= last || a.Last < base || a.First < 0 || a.First > a.Last || a.LastStable < 0 || a.LastStable > a.Last+1 {
			return nil, fault.Corruption(op, "bad entry %+v after %d in the segment of %d", a, last, base)
		}
		entries, last = append(entries, a), a.Last
	}
	return entries, nil
}
