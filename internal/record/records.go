package record

import (
	"encoding/binary"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// Record is one record of a batch. Its slices alias the batch or, for a compressed one, the decompressed bytes, and are
// good until the callback that got it returns.
type Record struct {
	Index       int32
	Attributes  int8
	Offset      kafka.Offset
	TimestampMs int64
	Key         []byte // nil for null
	Value       []byte // nil for null
	headers     []byte
	headerCount int
	raw         []byte
}

// Header is one header of a record.
type Header struct {
	Key   []byte
	Value []byte // nil for null
}

// HeaderCount returns how many headers there are.
func (r *Record) HeaderCount() int { return r.headerCount }

// Headers calls f for each header until it returns false.
func (r *Record) Headers(f func(Header) bool) {
	c := reader{b: r.headers}
	for range r.headerCount {
		h := Header{Key: c.bytes(false), Value: c.bytes(true)}
		if c.bad != "" || !f(h) {
			return
		}
	}
}

// Limits bound what decompressing a batch may cost (reliability.md F23).
type Limits struct {
	MaxBytes  int // of the decompressed records; zero means DefaultMaxBytes
	MaxStored int // of the batch that Recompress makes; zero means no bound
}

// DefaultMaxBytes bounds decompressed records where a caller sets no limit, bytes.
const DefaultMaxBytes = 256 << 20

// orRatio is the limit for a batch that a client sent, where the caller sets none: 32 times its bytes, and 16 MiB in any
// case. Real records do not come near both; a bomb does, and whoever reads records whole would have all of it in memory.
func (l Limits) orRatio(size int) Limits {
	if l.MaxBytes == 0 {
		l.MaxBytes = min(DefaultMaxBytes, max(16<<20, 32*size))
	}
	return l
}

func (l Limits) orDefault() int {
	if l.MaxBytes == 0 {
		return DefaultMaxBytes
	}
	return l.MaxBytes
}

// Each calls f for each record in order. It decompresses where needed, within the limits. Errors: a corruption for
// bytes that do not hold what the header claims, and f's own, which end it.
func (b Batch) Each(l Limits, f func(*Record) error) error {
	body := []byte(b[HeaderSize:])
	if c := b.Codec(); c != None {
		plain, release, err := c.decompressPooled(body, l.orDefault())
		if err != nil {
			return err
		}
		defer release()
		body = plain
	}
	c := reader{b: body}
	base, baseMs := b.BaseOffset(), b.BaseTimestamp()
	appendTime := b.IsLogAppendTime()
	var r Record
	for i := range b.Count() {
		if err := c.record(&r, i, base, baseMs); err != nil {
			return err
		}
		if appendTime {
			r.TimestampMs = b.MaxTimestamp()
		}
		if err := f(&r); err != nil {
			return err
		}
	}
	if len(c.b) > 0 {
		return fault.Corruption("record", "%d bytes follow the last of %d records", len(c.b), b.Count())
	}
	return nil
}

// reader takes fields off the front of b; after a failure it returns zero values.
type reader struct {
	b   []byte
	bad string
}

func (c *reader) record(r *Record, i int32, base kafka.Offset, baseMs int64) error {
	whole := c.b
	size := c.varint32()
	if c.bad == "" && (size < 0 || size > int64(len(c.b))) {
		c.bad = "a record is longer than its batch"
	}
	if c.bad != "" {
		return fault.Corruption("record", "record %d: %s", i, c.bad)
	}
	in := reader{b: c.b[:size]}
	c.b = c.b[size:]
	*r = Record{Index: i, raw: whole[:len(whole)-len(c.b)]}
	if len(in.b) == 0 {
		return fault.Corruption("record", "record %d is empty", i)
	}
	r.Attributes, in.b = int8(in.b[0]), in.b[1:]
	r.TimestampMs = baseMs + in.varint()
	r.Offset = base + kafka.Offset(in.varint32())
	r.Key, r.Value = in.bytes(true), in.bytes(true)
	n := in.varint32()
	r.headers, r.headerCount = in.b, int(n)
	if n < 0 || n > int64(len(in.b)) { // a header has at least two bytes
		in.fail("a lying header count")
	}
	for k := int64(0); k < n && in.bad == ""; k++ {
		in.bytes(false)
		in.bytes(true)
	}
	if in.bad == "" && len(in.b) > 0 {
		in.fail("bytes follow its headers")
	}
	if in.bad != "" {
		return fault.Corruption("record", "record %d: %s", i, in.bad)
	}
	r.headers = r.headers[:len(r.headers)-len(in.b)]
	return nil
}

func (c *reader) fail(why string) {
	if c.bad == "" {
		c.bad = why
	}
	c.b = nil
}

// varint32 takes a varint of an int32: five bytes at most, as Java's reader wants it.
func (c *reader) varint32() int64 {
	if len(c.b) > 0 && c.b[0] < 0x80 { // one byte, as most are
		v := c.b[0]
		c.b = c.b[1:]
		return int64(v>>1) ^ -int64(v&1)
	}
	had := len(c.b)
	v := c.varint()
	if had-len(c.b) > maxVarint32 && c.bad == "" {
		c.fail("a torn or overlong varint")
		return 0
	}
	return v
}

// maxVarint32 is how many bytes a varint of an int32 has at most.
const maxVarint32 = 5

func (c *reader) varint() int64 {
	v, n := binary.Varint(c.b)
	if n <= 0 {
		c.fail("a torn or overlong varint")
		return 0
	}
	c.b = c.b[n:]
	return v
}

// bytes takes a length and that many bytes; -1 is null where that is allowed.
func (c *reader) bytes(nullable bool) []byte {
	n := c.varint32()
	switch {
	case n == -1 && nullable:
		return nil
	case n < 0 || n > int64(len(c.b)):
		c.fail("a lying length")
		return nil
	}
	out := c.b[:n:n]
	c.b = c.b[n:]
	return out
}
