package staterecord

import (
	"encoding/binary"
	"fmt"
	"math"
)

// MaxString is the longest string, in bytes, that Kafka's format can carry; who decides records checks it first.
const MaxString = 0x7fff

// codec walks a record's fields in either direction. Reading, buf is what is left; writing, buf is what is written.
// The first failure stays in err, and everything after it is skipped.
type codec struct {
	decoding bool
	version  int16
	buf      []byte
	err      error
}

func (c *codec) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

// take returns the next n bytes of the input, nil after a failure.
func (c *codec) take(n int) []byte {
	if c.err != nil {
		return nil
	}
	if n < 0 || n > len(c.buf) {
		c.fail("%d bytes claimed where %d are left", n, len(c.buf))
		return nil
	}
	b := c.buf[:n]
	c.buf = c.buf[n:]
	return b
}

func (c *codec) uvarint() uint32 {
	if c.err != nil {
		return 0
	}
	v, n := binary.Uvarint(c.buf)
	if n <= 0 || v > math.MaxUint32 {
		c.fail("a varint that does not end or does not fit 32 bits")
		return 0
	}
	c.buf = c.buf[n:]
	return uint32(v)
}

func (c *codec) putUvarint(v uint32) { c.buf = binary.AppendUvarint(c.buf, uint64(v)) }

func int8Of[T ~int8](c *codec, v *T) {
	if !c.decoding {
		c.buf = append(c.buf, byte(*v))
	} else if b := c.take(1); b != nil {
		*v = T(b[0])
	}
}

func int16Of[T ~int16 | ~uint16](c *codec, v *T) {
	if !c.decoding {
		c.buf = binary.BigEndian.AppendUint16(c.buf, uint16(*v))
	} else if b := c.take(2); b != nil {
		*v = T(binary.BigEndian.Uint16(b))
	}
}

func int32Of[T ~int32](c *codec, v *T) {
	if !c.decoding {
		c.buf = binary.BigEndian.AppendUint32(c.buf, uint32(*v))
	} else if b := c.take(4); b != nil {
		*v = T(binary.BigEndian.Uint32(b))
	}
}

func int64Of[T ~int64](c *codec, v *T) {
	if !c.decoding {
		c.buf = binary.BigEndian.AppendUint64(c.buf, uint64(*v))
	} else if b := c.take(8); b != nil {
		*v = T(binary.BigEndian.Uint64(b))
	}
}

func uuidOf[T ~[16]byte](c *codec, v *T) {
	if !c.decoding {
		u := [16]byte(*v)
		c.buf = append(c.buf, u[:]...)
	} else if b := c.take(16); b != nil {
		*v = T(b)
	}
}

func (c *codec) bool(v *bool) {
	if !c.decoding {
		b := byte(0)
		if *v {
			b = 1
		}
		c.buf = append(c.buf, b)
	} else if b := c.take(1); b != nil {
		*v = b[0] != 0
	}
}

func (c *codec) float64(v *float64) {
	bits := int64(math.Float64bits(*v))
	int64Of(c, &bits)
	*v = math.Float64frombits(uint64(bits))
}

// length walks a compact length: n+1 as a uvarint, 0 for null, which is -1 here.
func (c *codec) length(n int) int {
	if c.decoding {
		return int(c.uvarint()) - 1
	}
	c.putUvarint(uint32(n + 1))
	return n
}

// nullable walks a string that may be null.
func (c *codec) nullable(v **string) {
	if !c.decoding {
		if *v == nil {
			c.length(-1)
			return
		}
		c.string(*v)
		return
	}
	if n := c.length(0); n >= 0 {
		if n > MaxString {
			c.fail("a string of %d bytes is longer than %d", n, MaxString)
		}
		s := string(c.take(n))
		*v = &s
	} else {
		*v = nil
	}
}

func (c *codec) string(v *string) {
	if !c.decoding {
		if len(*v) > MaxString {
			c.fail("a string of %d bytes is longer than %d", len(*v), MaxString)
			return
		}
		c.length(len(*v))
		c.buf = append(c.buf, *v...)
		return
	}
	n := c.length(0)
	if n > MaxString {
		c.fail("a string of %d bytes is longer than %d", n, MaxString)
	}
	if n < 0 {
		c.fail("null where a string must be")
	}
	*v = string(c.take(n))
}

func (c *codec) bytes(v *[]byte) {
	if !c.decoding {
		c.length(len(*v))
		c.buf = append(c.buf, *v...)
		return
	}
	n := c.length(0)
	if n < 0 {
		c.fail("null where bytes must be")
	}
	*v = append([]byte{}, c.take(n)...)
}

// arrayOf walks an array whose items take at least one byte each, so that a claimed count never allocates more than
// what has arrived (architecture D9). Null is read as nil when allowed.
func arrayOf[T any](c *codec, v *[]T, itemBytes int, null bool, item func(*codec, *T)) {
	if !c.decoding {
		if *v == nil && null {
			c.length(-1)
			return
		}
		c.length(len(*v))
		for i := range *v {
			item(c, &(*v)[i])
		}
		return
	}
	n := c.length(0)
	if c.err != nil {
		return
	}
	if n < 0 {
		if !null {
			c.fail("null where an array must be")
		}
		*v = nil
		return
	}
	if n > len(c.buf)/itemBytes {
		c.fail("%d items claimed where %d bytes are left", n, len(c.buf))
		return
	}
	*v = make([]T, n)
	for i := range *v {
		item(c, &(*v)[i])
	}
}

func int32sOf[T ~int32](c *codec, v *[]T)       { arrayOf(c, v, 4, false, int32Of[T]) }
func int32sOrNull[T ~int32](c *codec, v *[]T)   { arrayOf(c, v, 4, true, int32Of[T]) }
func uuidsOf[T ~[16]byte](c *codec, v *[]T)     { arrayOf(c, v, 16, false, uuidOf[T]) }
func uuidsOrNull[T ~[16]byte](c *codec, v *[]T) { arrayOf(c, v, 16, true, uuidOf[T]) }

// tag is one tagged field (KIP-482): written when it is not at its default and the version has it.
type tag struct {
	id    uint32
	since int16
	set   bool
	walk  func(*codec)
}

// tags walks the tagged fields at the end of a structure, given in rising order of id. Unknown tags are skipped, as
// Kafka does.
func (c *codec) tags(fields ...tag) {
	if c.decoding {
		c.readTags(fields)
		return
	}
	n := uint32(0)
	for _, f := range fields {
		if f.set && c.version >= f.since {
			n++
		}
	}
	c.putUvarint(n)
	for _, f := range fields {
		if !f.set || c.version < f.since {
			continue
		}
		body := codec{version: c.version, buf: make([]byte, 0, 64)}
		f.walk(&body)
		if body.err != nil {
			c.fail("tag %d: %v", f.id, body.err)
		}
		c.putUvarint(f.id)
		c.putUvarint(uint32(len(body.buf)))
		c.buf = append(c.buf, body.buf...)
	}
}

func (c *codec) readTags(fields []tag) {
	n := c.uvarint()
	for range n {
		id, size := c.uvarint(), c.uvarint()
		b := c.take(int(size))
		if c.err != nil {
			return
		}
		for _, f := range fields {
			if f.id != id || c.version < f.since {
				continue
			}
			body := codec{decoding: true, version: c.version, buf: b}
			f.walk(&body)
			if body.err == nil && len(body.buf) > 0 {
				body.fail("%d bytes after its value", len(body.buf))
			}
			if body.err != nil {
				c.fail("tag %d: %v", id, body.err)
			}
		}
	}
}
