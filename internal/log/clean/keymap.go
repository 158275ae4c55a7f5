package clean

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/milena-io/milena/internal/kafka"
)

// entryBytes is what a key takes in the map, whatever its length.
const entryBytes = 24

// KeyMap is the last offset of each key in the dirty part of a log, in memory that is bounded beforehand: open addressing
// over entries of a 128-bit hash and an offset, as Kafka's SkimpyOffsetMap. Two keys of one hash would lose the older one,
// so the hash is cryptographic, and nobody can make such keys.
type KeyMap struct {
	slots []entry
	used  int
	most  int
	upTo  kafka.Offset // everything below it is in the map
}

// entry is a slot; an offset plus one of zero is an empty slot.
type entry struct {
	hi, lo uint64
	after  int64 // offset + 1
}

// NewKeyMap makes a map within a budget of bytes, filled to at most load, and no larger than keys need.
func NewKeyMap(bytes int64, load float64, keys int64) *KeyMap {
	load = min(max(load, 0.01), 0.99)
	slots := max(min(bytes/entryBytes, int64(float64(keys)/load)+2), 2)
	return &KeyMap{slots: make([]entry, slots), most: max(int(float64(slots)*load), 1)}
}

// Put notes a key's offset, which is higher than those before it; false when the map is full.
func (m *KeyMap) Put(key []byte, o kafka.Offset) bool {
	if m.used >= m.most {
		return false
	}
	e := m.find(key)
	if e.after == 0 {
		m.used++
	}
	e.after = int64(o) + 1
	return true
}

// Last returns the key's offset, NoOffset when it has none here.
func (m *KeyMap) Last(key []byte) kafka.Offset {
	if m.used == 0 {
		return kafka.NoOffset
	}
	sum := sha256.Sum256(key)
	return kafka.Offset(m.slot(sum[:]).after - 1)
}

// find returns the key's entry, an empty one with its hash when there is none.
func (m *KeyMap) find(key []byte) *entry {
	sum := sha256.Sum256(key)
	e := m.slot(sum[:])
	e.hi, e.lo = binary.BigEndian.Uint64(sum[:]), binary.BigEndian.Uint64(sum[8:])
	return e
}

// slot returns the entry of a hash or the empty slot where it belongs. There is always an empty one.
func (m *KeyMap) slot(sum []byte) *entry {
	hi, lo := binary.BigEndian.Uint64(sum), binary.BigEndian.Uint64(sum[8:])
	for i := lo % uint64(len(m.slots)); ; i++ {
		if i == uint64(len(m.slots)) {
			i = 0
		}
		if e := &m.slots[i]; e.after == 0 || e.hi == hi && e.lo == lo {
			return e
		}
	}
}

// Len returns how many keys there are.
func (m *KeyMap) Len() int { return m.used }

// Utilization is how full the map is, from 0 to 1, of what its budget allows.
func (m *KeyMap) Utilization() float64 { return float64(m.used) / float64(len(m.slots)) }

// UpTo returns the offset below which every record is in the map.
func (m *KeyMap) UpTo() kafka.Offset { return m.upTo }
