package segment

import (
	"sort"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
)

// spot is a boundary between batches: every batch before pos ends below offset.
type spot struct {
	offset kafka.Offset
	pos    int64
}

// tailSpots is how many of the newest boundaries are kept. A reader that keeps up, and every read bounded by the high
// watermark, finds its boundary here without touching the file.
const tailSpots = 32

// memory is the indexes of an active segment.
type memory struct {
	base    kafka.Offset
	offsets []OffsetEntry
	times   []TimeEntry
	written [2]int // entries of offsets and times that stand in the files
	fresh   bool   // the files, if any, are stale: the next write begins them anew
	since   int64  // bytes since the last offset entry
	stamp   Stamp
	// allocated: the file goes on behind the data, with zeros.
	allocated bool
	first     int64 // max timestamp of the first batch, from which time to roll counts; -1 unknown
	tail      [tailSpots]spot
	tailLen   int     // spots ever added
	recent    *recent // nil while nobody follows
	sealing   sealing
}

// note takes in a batch that stands at pos: Kafka adds an entry when more than interval bytes came since the last one.
func (m *memory) note(b record.Batch, pos, size, interval int64) {
	rel := int32(b.LastOffset() - m.base)
	// A batch that compaction emptied has no record of its timestamp any more (Kafka leaves it out, too).
	if ts := b.MaxTimestamp(); b.Count() > 0 && ts > m.stamp.Timestamp {
		m.stamp = Stamp{ts, b.LastOffset()}
	}
	if m.since > interval {
		m.offsets = append(m.offsets, OffsetEntry{rel, int32(pos)})
		m.noteTime()
		m.since = 0
	}
	m.since += size
	if pos == 0 {
		m.first = b.MaxTimestamp()
	}
	m.mark(spot{b.NextOffset(), pos + size})
}

// noteTime adds an entry when the largest timestamp has risen since the last one.
func (m *memory) noteTime() {
	if e, risen := m.lastTime(); risen {
		m.times = append(m.times, e)
	}
}

// lastTime returns the entry of the largest timestamp, and whether it is above the last one that stands in the index.
func (m *memory) lastTime() (TimeEntry, bool) {
	n := len(m.times)
	risen := m.stamp.Timestamp >= 0 && (n == 0 || m.times[n-1].Timestamp < m.stamp.Timestamp)
	return TimeEntry{m.stamp.Timestamp, int32(m.stamp.Offset - m.base)}, risen
}

func (m *memory) mark(s spot) {
	m.tail[m.tailLen%tailSpots] = s
	m.tailLen++
}

// start finds where a scan for an offset begins. exact means that the batch at the spot is the wanted one.
func (m *memory) start(from kafka.Offset) (s spot, exact bool) {
	for i := m.tailLen - 1; i >= 0 && i >= m.tailLen-tailSpots; i-- {
		if s := m.tail[i%tailSpots]; s.offset <= from {
			return s, true
		}
	}
	i := sort.Search(len(m.offsets), func(i int) bool { return m.base+kafka.Offset(m.offsets[i].Rel) > from })
	if i == 0 {
		return spot{m.base, 0}, false
	}
	return spot{m.base, int64(m.offsets[i-1].Pos)}, false
}

// end finds the last boundary at or below a position whose batches all end below upper, or one before it that a scan
// can start from. exact means that no later boundary qualifies.
func (m *memory) end(upper kafka.Offset, maxPos int64) (s spot, exact bool) {
	for i := m.tailLen - 1; i >= 0 && i >= m.tailLen-tailSpots; i-- {
		if s := m.tail[i%tailSpots]; s.offset <= upper && s.pos <= maxPos {
			return s, true
		}
	}
	i := sort.Search(len(m.offsets), func(i int) bool {
		return m.base+kafka.Offset(m.offsets[i].Rel) >= upper || int64(m.offsets[i].Pos) > maxPos
	})
	if i == 0 {
		return spot{m.base, 0}, false
	}
	return spot{m.base, int64(m.offsets[i-1].Pos)}, false
}

// timeFloor returns the largest entry at or below a timestamp.
func (m *memory) timeFloor(ts int64) (TimeEntry, bool) {
	i := sort.Search(len(m.times), func(i int) bool { return m.times[i].Timestamp > ts })
	if i == 0 {
		return TimeEntry{}, false
	}
	return m.times[i-1], true
}

// cut drops what belongs to positions at or after pos or to offsets at or after next; what is left is written anew.
func (m *memory) cut(pos int64, next kafka.Offset) {
	keep := sort.Search(len(m.offsets), func(i int) bool { return int64(m.offsets[i].Pos) >= pos })
	m.offsets = m.offsets[:keep]
	keep = sort.Search(len(m.times), func(i int) bool { return m.base+kafka.Offset(m.times[i].Rel) >= next })
	m.times = m.times[:keep]
	m.written, m.fresh, m.tailLen = [2]int{}, true, 0
	if m.recent != nil {
		m.recent.cut(pos)
	}
	if pos == 0 {
		m.first = -1
	}
}

func newMemory(base kafka.Offset) *memory {
	return &memory{base: base, first: -1, fresh: true, stamp: NoStamp}
}
