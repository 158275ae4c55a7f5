package inspect

import (
	"encoding/binary"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/record"
)

// indexCheck compares an index with its log while the batches go by.
type indexCheck interface {
	batch(v *verifier, b record.Batch, pos int64)
	end(v *verifier, pos int64, next kafka.Offset, whole bool)
}

// indexFile is what the two kinds have in common: entries of one width, the one that comes next, and the last one seen.
type indexFile struct {
	name  string
	base  kafka.Offset
	data  []byte
	width int
	at    int // byte of the next entry
}

func newIndexCheck(suffix, name string, s *segmentWalk, data []byte) indexCheck {
	f := indexFile{name: name, base: s.base, data: data, width: segment.OffsetEntrySize}
	if suffix == segment.TimeIndexSuffix {
		f.width = segment.TimeEntrySize
	}
	if s.last { // a broker that ended without a clean stop leaves what it had preallocated
		f.data = trimZeros(data, f.width)
		if rest := len(f.data) % f.width; rest > 0 && allZero(f.data[len(f.data)-rest:]) {
			f.data = trimZeros(f.data[:len(f.data)-rest], f.width)
		}
	}
	if suffix == segment.TimeIndexSuffix {
		return &timeCheck{indexFile: f, stamp: -1}
	}
	return &offsetCheck{indexFile: f, rel: -1, pos: -1}
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

func (f *indexFile) more() bool { return f.at+f.width <= len(f.data) }

func (f *indexFile) tail(v *verifier) {
	if rest := len(f.data) - f.at; rest > 0 {
		v.problem(f.name, int64(f.at), -1, "%d bytes after the last whole entry", rest)
	}
}

// offsetCheck: offsets and positions rise, a batch begins at each position, and it ends at or below the entry's offset.
type offsetCheck struct {
	indexFile
	rel, pos int32 // of the entry before
}

func (c *offsetCheck) peek() (rel, pos int32) {
	b := c.data[c.at:]
	return int32(binary.BigEndian.Uint32(b)), int32(binary.BigEndian.Uint32(b[4:]))
}

func (c *offsetCheck) next(v *verifier) {
	rel, pos := c.peek()
	if rel <= c.rel || pos <= c.pos {
		v.problem(c.name, int64(c.at), c.base+kafka.Offset(rel), "entry (%d, %d) after (%d, %d): offsets and positions must rise", rel, pos, c.rel, c.pos)
	}
	c.rel, c.pos = rel, pos
	c.at += c.width
}

func (c *offsetCheck) batch(v *verifier, b record.Batch, at int64) {
	for c.more() {
		rel, pos := c.peek()
		o := c.base + kafka.Offset(rel)
		switch {
		case int64(pos) > at:
			return
		case int64(pos) < at:
			v.problem(c.name, int64(c.at), o, "points to byte %d of the log, where no batch begins", pos)
		case o < b.LastOffset():
			v.problem(c.name, int64(c.at), o, "points to byte %d of the log, whose batch ends at offset %d", pos, b.LastOffset())
		}
		c.next(v)
	}
}

func (c *offsetCheck) end(v *verifier, at int64, _ kafka.Offset, whole bool) {
	for whole && c.more() {
		rel, pos := c.peek()
		v.problem(c.name, int64(c.at), c.base+kafka.Offset(rel), "points to byte %d of a log of %d bytes", pos, at)
		c.next(v)
	}
	if whole {
		c.tail(v)
	}
}

// timeCheck: timestamps rise, offsets don't fall, and each entry is the largest timestamp of the batch with its offset.
type timeCheck struct {
	indexFile
	stamp int64 // of the entry before
}

func (c *timeCheck) peek() (stamp int64, o kafka.Offset) {
	b := c.data[c.at:]
	return int64(binary.BigEndian.Uint64(b)), c.base + kafka.Offset(int32(binary.BigEndian.Uint32(b[8:])))
}

func (c *timeCheck) next(v *verifier) {
	stamp, o := c.peek()
	if stamp <= c.stamp {
		v.problem(c.name, int64(c.at), o, "timestamp %d after %d: timestamps must rise", stamp, c.stamp)
	}
	c.stamp = stamp
	c.at += c.width
}

func (c *timeCheck) batch(v *verifier, b record.Batch, _ int64) {
	for c.more() {
		stamp, o := c.peek()
		switch {
		case o > b.LastOffset():
			return
		case o < b.BaseOffset():
			v.problem(c.name, int64(c.at), o, "no batch has offset %d", o)
		case stamp != b.MaxTimestamp():
			v.problem(c.name, int64(c.at), o, "timestamp %d, the batch with offset %d has %d", stamp, o, b.MaxTimestamp())
		}
		c.next(v)
	}
}

func (c *timeCheck) end(v *verifier, _ int64, next kafka.Offset, whole bool) {
	for whole && c.more() {
		_, o := c.peek()
		v.problem(c.name, int64(c.at), o, "names offset %d of a log that ends at %d", o, next)
		c.next(v)
	}
	if whole {
		c.tail(v)
	}
}
