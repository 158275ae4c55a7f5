package segment

import (
	"encoding/binary"

	"github.com/milena-io/milena/internal/fault"
)

// Widths of index entries on disk.
const (
	OffsetEntrySize = 8
	TimeEntrySize   = 12
)

// OffsetEntry says that the batch at Pos ends at base + Rel: Kafka's relative offset int32, position int32.
type OffsetEntry struct {
	Rel int32
	Pos int32
}

// TimeEntry says that up to base + Rel no batch has a larger timestamp: Kafka's timestamp int64, relative offset int32.
type TimeEntry struct {
	Timestamp int64
	Rel       int32
}

func parseOffsetEntry(b []byte) OffsetEntry {
	return OffsetEntry{int32(binary.BigEndian.Uint32(b)), int32(binary.BigEndian.Uint32(b[4:]))}
}

func parseTimeEntry(b []byte) TimeEntry {
	return TimeEntry{int64(binary.BigEndian.Uint64(b)), int32(binary.BigEndian.Uint32(b[8:]))}
}

func (e OffsetEntry) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(e.Rel))
	return binary.BigEndian.AppendUint32(dst, uint32(e.Pos))
}

func (e TimeEntry) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.Timestamp))
	return binary.BigEndian.AppendUint32(dst, uint32(e.Rel))
}

// ParseOffsetIndex reads a whole offset index; offsets and positions must rise and lie inside a log of logSize bytes.
func ParseOffsetIndex(data []byte, logSize int64) ([]OffsetEntry, error) {
	if len(data)%OffsetEntrySize != 0 {
		return nil, fault.Corruption("segment.ParseOffsetIndex", "%d bytes are no multiple of %d", len(data), OffsetEntrySize)
	}
	entries := make([]OffsetEntry, 0, len(data)/OffsetEntrySize)
	last := OffsetEntry{-1, -1}
	for ; len(data) > 0; data = data[OffsetEntrySize:] {
		e := parseOffsetEntry(data)
		if e.Rel <= last.Rel || e.Pos <= last.Pos || int64(e.Pos) >= logSize {
			return nil, fault.Corruption("segment.ParseOffsetIndex", "entry %d at %d follows %d at %d in a log of %d bytes",
				e.Rel, e.Pos, last.Rel, last.Pos, logSize)
		}
		entries, last = append(entries, e), e
	}
	return entries, nil
}

// ParseTimeIndex reads a whole time index; timestamps must rise and offsets not fall.
func ParseTimeIndex(data []byte) ([]TimeEntry, error) {
	if len(data)%TimeEntrySize != 0 {
		return nil, fault.Corruption("segment.ParseTimeIndex", "%d bytes are no multiple of %d", len(data), TimeEntrySize)
	}
	entries := make([]TimeEntry, 0, len(data)/TimeEntrySize)
	last := TimeEntry{-1, 0}
	for ; len(data) > 0; data = data[TimeEntrySize:] {
		e := parseTimeEntry(data)
		if e.Timestamp <= last.Timestamp || e.Rel < last.Rel {
			return nil, fault.Corruption("segment.ParseTimeIndex", "entry (%d, %d) follows (%d, %d)",
				e.Timestamp, e.Rel, last.Timestamp, last.Rel)
		}
		entries, last = append(entries, e), e
	}
	return entries, nil
}
