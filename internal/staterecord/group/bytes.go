package group

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/milena-io/milena/internal/must"
)

// reader walks a value. The first read past the end sets bad, and everything after it is zero.
type reader struct {
	b        []byte
	flexible bool
	bad      bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n < 0 || n > len(r.b) {
		r.bad = true
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) i16() int16 {
	if b := r.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (r *reader) i32() int32 {
	if b := r.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (r *reader) i64() int64 {
	if b := r.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if r.bad || n <= 0 || v > 1<<32-1 {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

// length reads the length of a string (width 2) or of bytes and arrays (width 4); -1 is null.
func (r *reader) length(width int) int {
	switch {
	case r.flexible:
		return int(r.uvarint()) - 1
	case width == 2:
		return int(r.i16())
	default:
		return int(r.i32())
	}
}

// text reads a string; null is empty and not ok.
func (r *reader) text() (s string, ok bool) {
	n := r.length(2)
	if n == -1 && !r.bad {
		return "", false
	}
	return string(r.take(n)), true
}

func (r *reader) nullable() *string {
	if s, ok := r.text(); ok {
		return &s
	}
	return nil
}

// str reads a string that must not be null.
func (r *reader) str() string {
	s, ok := r.text()
	r.bad = r.bad || !ok
	return s
}

func (r *reader) bytes() []byte {
	n := r.length(4)
	if n == -1 {
		return nil
	}
	return bytes.Clone(r.take(n))
}

func (r *reader) array() int { return r.length(4) }

// tags reads the tagged fields that end a flexible struct.
func (r *reader) tags(field func(tag uint64, b []byte)) {
	if !r.flexible {
		return
	}
	for n := r.uvarint(); n > 0 && !r.bad; n-- {
		tag := r.uvarint()
		b := r.take(int(r.uvarint()))
		if field != nil && !r.bad {
			field(tag, b)
		}
	}
}

// writer appends a value, flexible or not.
type writer struct {
	b        []byte
	flexible bool
}

func (w *writer) i32(v int32) { w.b = binary.BigEndian.AppendUint32(w.b, uint32(v)) }
func (w *writer) i64(v int64) { w.b = binary.BigEndian.AppendUint64(w.b, uint64(v)) }

func (w *writer) str(s string) { w.nullable(&s) }

func (w *writer) nullable(s *string) {
	n := -1
	if s != nil {
		n = len(*s)
	}
	if w.flexible {
		w.b = binary.AppendUvarint(w.b, uint64(n+1))
	} else {
		must.Hold(n <= MaxString, "a string of %d bytes goes into a record", n)
		w.b = appendI16(w.b, int16(n))
	}
	if s != nil {
		w.b = append(w.b, *s...)
	}
}

func (w *writer) array(n int) {
	if w.flexible {
		w.b = binary.AppendUvarint(w.b, uint64(n+1))
	} else {
		w.i32(int32(n))
	}
}

// bytes writes nil as empty: neither subscription nor assignment is nullable.
func (w *writer) bytes(b []byte) {
	w.array(len(b))
	w.b = append(w.b, b...)
}

func appendI16(b []byte, v int16) []byte { return binary.BigEndian.AppendUint16(b, uint16(v)) }

// MaxString is the longest string of a non-flexible field. Flexible requests can carry longer ones, so whoever builds
// a record checks first.
const MaxString = math.MaxInt16

func appendString(b []byte, s string) []byte {
	must.Hold(len(s) <= MaxString, "a string of %d bytes goes into a record", len(s))
	return append(appendI16(b, int16(len(s))), s...)
}
