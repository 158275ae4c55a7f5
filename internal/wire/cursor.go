package wire

import (
	"encoding/binary"
	"fmt"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// cursor reads bytes from outside. Every read is checked against what is left; the first failure stays and makes all
// later reads return zero, so that callers check once at the end.
type cursor struct {
	b   []byte
	pos int
	bad string // what was wrong; empty while all is well
	at  int    // where
}

func (c *cursor) fail(what string) {
	if c.bad == "" {
		c.bad, c.at = what, c.pos
	}
	c.pos = len(c.b)
}

func (c *cursor) left() int { return len(c.b) - c.pos }

// take returns the next n bytes, which alias the input.
func (c *cursor) take(n int) []byte {
	if c.bad != "" || n < 0 || n > c.left() {
		c.fail("it ends before its length says")
		return nil
	}
	out := c.b[c.pos : c.pos+n : c.pos+n]
	c.pos += n
	return out
}

func (c *cursor) int8() int8 {
	if b := c.take(1); b != nil {
		return int8(b[0])
	}
	return 0
}

func (c *cursor) int16() int16 {
	if b := c.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (c *cursor) int32() int32 {
	if b := c.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (c *cursor) int64() int64 {
	if b := c.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// uvarint reads at most five bytes, as Kafka's unsigned varints have 32 bits.
func (c *cursor) uvarint() uint32 {
	var v uint32
	for shift := 0; shift < 35; shift += 7 {
		if c.bad != "" || c.left() == 0 {
			c.fail("it ends inside a varint")
			return 0
		}
		b := c.b[c.pos]
		c.pos++
		if shift == 28 && b > 0x0f {
			break
		}
		v |= uint32(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
	c.fail("a varint is longer than 32 bits")
	return 0
}

// length reads the length of a string, byte string or array; -1 stands for null. wide says whether the old form has
// four bytes (bytes, arrays) or two (strings).
func (c *cursor) length(flexible, wide bool) int {
	var n int
	switch {
	case flexible:
		n = int(c.uvarint()) - 1
	case wide:
		n = int(c.int32())
	default:
		n = int(c.int16())
	}
	if c.bad != "" {
		return 0
	}
	if n > c.left() {
		c.fail("a length is larger than what follows")
		return 0
	}
	return max(n, -1)
}

// text reads a string that may not be null; it aliases the input.
func (c *cursor) text(flexible bool) []byte {
	n := c.length(flexible, false)
	if n < 0 {
		c.fail("a string is null that must not be")
		return nil
	}
	return c.take(n)
}

// nullableText returns nil for null and a slice, perhaps empty, for everything else.
func (c *cursor) nullableText(flexible bool) []byte {
	n := c.length(flexible, false)
	if n < 0 {
		return nil
	}
	return c.take(n)
}

// skipTags passes over a tag section without keeping anything. The claimed count costs nothing: every tag has at least
// two bytes, so the loop ends with the input.
func (c *cursor) skipTags() {
	for n := c.uvarint(); n > 0 && c.bad == ""; n-- {
		c.uvarint()
		c.take(int(c.uvarint()))
	}
}

// malformed is the error of bytes that do not parse; clients never see it, their connection is closed.
func malformed(op, format string, args ...any) error {
	return &fault.Error{
		Op: op, Kind: fault.Corrupt, Code: kafka.ErrInvalidRequest, Message: fmt.Sprintf(format, args...),
	}
}

// err turns a failed cursor into an error that names the place.
func (c *cursor) err(op string) error {
	if c.bad == "" {
		return nil
	}
	return malformed(op, "%s (at byte %d of %d)", c.bad, c.at, len(c.b))
}
