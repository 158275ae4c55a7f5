package node

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
)

// Positions in a batch's header, from the file format.
const (
	atLength     = 8
	atMagic      = 16
	atAttributes = 21
	atLastDelta  = 23
	atProducerID = 43
	atEpoch      = 51
	atSequence   = 53
	atCount      = 57
	atRecords    = 61
)

// forged is a batch that was changed and then sealed with a right checksum, so that nothing but the lie is wrong with it.
func forged(codec record.Codec, change func(b []byte) []byte) []byte {
	o := record.Plain()
	o.Codec = codec
	b := change(built(o, "one", "two", "three"))
	record.Batch(b).Seal()
	return b
}

func put16(at int, v uint16) func([]byte) []byte {
	return func(b []byte) []byte { binary.BigEndian.PutUint16(b[at:], v); return b }
}

func put32(at int, v uint32) func([]byte) []byte {
	return func(b []byte) []byte { binary.BigEndian.PutUint32(b[at:], v); return b }
}

// with puts other bytes where the records are, and sets the batch's length to them.
func with(records []byte) func([]byte) []byte {
	return func(b []byte) []byte {
		b = append(b[:atRecords:atRecords], records...)
		binary.BigEndian.PutUint32(b[atLength:], uint32(len(b)-12))
		return b
	}
}

func both(f, g func([]byte) []byte) func([]byte) []byte {
	return func(b []byte) []byte { return g(f(b)) }
}

// records are the bytes behind the header of a batch without compression.
func recordBytes(b []byte) []byte { return b[atRecords:] }

// TestBadInputBatches: whatever is wrong with a batch has Kafka's error code, and nothing of it is appended.
func TestBadInputBatches(t *testing.T) {
	same := func(b []byte) []byte { return b }
	raw := func(change func([]byte) []byte) []byte { return change(plain("one", "two", "three")) }
	plainRecords := recordBytes(plain("one", "two", "three"))
	longer := append([]byte{0x7e}, plainRecords[1:]...) // the first record says that it has 63 bytes
	headers := bytes.Clone(plainRecords)
	headers[int(headers[0])/2] = 0x7e // the first record's last byte: 63 headers
	for _, c := range []struct {
		name  string
		batch []byte
		want  kafka.ErrorCode
	}{
		{"a wrong checksum", raw(put32(17, 1)), kafka.ErrCorruptMessage},
		{"a flipped bit in a record", raw(func(b []byte) []byte { b[len(b)-1] ^= 4; return b }), kafka.ErrCorruptMessage},
		{"magic 0", raw(func(b []byte) []byte { b[atMagic] = 0; return b }), kafka.ErrInvalidRecord},
		{"magic 1", raw(func(b []byte) []byte { b[atMagic] = 1; return b }), kafka.ErrInvalidRecord},
		{"magic 3", raw(func(b []byte) []byte { b[atMagic] = 3; return b }), kafka.ErrCorruptMessage},
		{"magic -1", raw(func(b []byte) []byte { b[atMagic] = 0xff; return b }), kafka.ErrCorruptMessage},
		{"a negative length", raw(put32(atLength, 0xffffffff)), kafka.ErrCorruptMessage},
		{"a length of nothing", raw(put32(atLength, 0)), kafka.ErrCorruptMessage},
		{"a length of two gigabytes", raw(put32(atLength, 0x7fffffff)), kafka.ErrInvalidRecord},
		{"a forged base offset", raw(put32(4, 7)), kafka.ErrInvalidRecord},
		{"more records than there are", forged(record.None, both(put32(atCount, 1<<30), put32(atLastDelta, 1<<30-1))), kafka.ErrInvalidRecord},
		{"fewer records than there are", forged(record.None, both(put32(atCount, 2), put32(atLastDelta, 1))), kafka.ErrInvalidRecord},
		{"no records", forged(record.None, both(put32(atCount, 0), put32(atLastDelta, 0xffffffff))), kafka.ErrInvalidRecord},
		{"a negative count", forged(record.None, put32(atCount, 0x80000000)), kafka.ErrInvalidRecord},
		{"more records than offsets", forged(record.None, put32(atCount, 1<<30)), kafka.ErrInvalidRecord},
		{"offsets that are no count", forged(record.None, put32(atLastDelta, 7)), kafka.ErrInvalidRecord},
		{"a record longer than its batch", forged(record.None, with(longer)), kafka.ErrInvalidRecord},
		{"more headers than there are", forged(record.None, with(headers)), kafka.ErrInvalidRecord},
		{"an unknown codec", forged(record.None, put16(atAttributes, 7)), kafka.ErrInvalidRecord},
		{"a control bit", forged(record.None, put16(atAttributes, record.AttrControl)), kafka.ErrInvalidRecord},
		{"a transaction's bit", forged(record.None, put16(atAttributes, record.AttrTransactional)), kafka.ErrTransactionalIdAuthorizationFailed},
		{"the broker's time", forged(record.None, put16(atAttributes, record.AttrLogAppendTime)), kafka.ErrNone},
		{"a producer id without a sequence", forged(record.None, put32(atProducerID, 0)), kafka.ErrInvalidRecord},
		{"gzip that is none", forged(record.None, put16(atAttributes, 1)), kafka.ErrInvalidRecord},
		{"snappy that is none", forged(record.None, put16(atAttributes, 2)), kafka.ErrInvalidRecord},
		{"lz4 that is none", forged(record.None, put16(atAttributes, 3)), kafka.ErrInvalidRecord},
		{"zstd that is none", forged(record.None, put16(atAttributes, 4)), kafka.ErrInvalidRecord},
		{"snappy that claims four gigabytes", forged(record.Snappy, with([]byte{0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0})), kafka.ErrInvalidRecord},
		{"a snappy block longer than its batch", forged(record.Snappy, with(append([]byte("\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01"), 0x7f, 0xff, 0xff, 0xff, 1))), kafka.ErrInvalidRecord},
		{"gzip that ends early", forged(record.Gzip, func(b []byte) []byte { return with(bytes.Clone(b[atRecords : len(b)-9]))(b) }), kafka.ErrInvalidRecord},
		{"a batch as it should be", forged(record.Gzip, same), kafka.ErrNone},
	} {
		r := newRig(t)
		r.create("a", 1)
		if p := r.write("a", 0, c.batch); kafka.ErrorCode(p.ErrorCode) != c.want {
			t.Errorf("%s: %v, want %v (%v)", c.name, kafka.ErrorCode(p.ErrorCode), c.want, text(p.ErrorMessage))
		} else if p = r.write("a", 0, plain("x")); c.want != kafka.ErrNone && (p.ErrorCode != 0 || p.BaseOffset != 0) {
			t.Errorf("%s: it left something behind: %+v", c.name, p)
		}
	}
}

func text(s *string) string {
	if s == nil {
		return "no message"
	}
	return *s
}
