package history

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/milena-io/milena/internal/kafka"
)

// seqBits is the share of a value that counts; the rest names the writer.
const seqBits = 40

// Value returns the value of a writer's record: unique in a history whose writers have numbers of their own.
func Value(writer, seq uint64) uint64 { return writer<<seqBits | seq&(1<<seqBits-1) }

// WriterOf is the writer of a value.
func WriterOf(v uint64) uint64 { return v >> seqBits }

// SeqOf is the number of the record among its writer's.
func SeqOf(v uint64) uint64 { return v & (1<<seqBits - 1) }

// MinPayload is the least payload: the value, the size, and enough of what follows from the value to tell a wrong one.
const MinPayload = 16

// head is a payload's value and size.
const head = 12

// Payload appends a record's payload of size bytes, at least MinPayload: the value, the size, then bytes that look like
// chance and follow from the value. A payload that is cut, or mixed from two, is told from its own bytes.
func Payload(dst []byte, v uint64, size int) []byte {
	size = max(size, MinPayload)
	dst = binary.BigEndian.AppendUint64(dst, v)
	dst = binary.BigEndian.AppendUint32(dst, uint32(size))
	noise := v
	for rest := size - head; rest > 0; rest -= 8 {
		var word [8]byte
		noise = mix(noise + 0x9e3779b97f4a7c15)
		binary.BigEndian.PutUint64(word[:], noise)
		dst = append(dst, word[:min(rest, 8)]...)
	}
	return dst
}

// OpenPayload returns the value of a payload and whether every byte is the one that was sent. Of a payload that does not
// check the value is what its first bytes say, 0 where there are too few.
func OpenPayload(b []byte) (v uint64, whole bool) {
	if len(b) < 8 {
		return 0, false
	}
	v = binary.BigEndian.Uint64(b)
	if len(b) < MinPayload || binary.BigEndian.Uint32(b[8:]) != uint32(len(b)) {
		return v, false
	}
	noise := v
	for rest := b[head:]; len(rest) > 0; {
		var word [8]byte
		noise = mix(noise + 0x9e3779b97f4a7c15)
		binary.BigEndian.PutUint64(word[:], noise)
		n := min(len(rest), 8)
		if string(rest[:n]) != string(word[:n]) {
			return v, false
		}
		rest = rest[n:]
	}
	return v, true
}

// mix is SplitMix64's finish: each bit of the input moves half of the output's.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Header is a record's header, as Sum reads it.
type Header struct {
	Key   string
	Value []byte
}

// Sum is the checksum of everything a client gave to a record: timestamp (0 where the broker sets it), key, payload and
// headers, each with its length, so that nothing passes from one to the other unseen. It is never 0.
func Sum(timeMs int64, key, value []byte, headers []Header) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	var n [8]byte
	sum := uint32(0)
	number := func(v uint64) {
		binary.BigEndian.PutUint64(n[:], v)
		sum = crc32.Update(sum, table, n[:])
	}
	part := func(b []byte) {
		size := uint64(len(b))
		if b == nil {
			size = ^uint64(0) // no key is not an empty key
		}
		number(size)
		sum = crc32.Update(sum, table, b)
	}
	number(uint64(timeMs))
	part(key)
	part(value)
	for _, h := range headers {
		part([]byte(h.Key))
		part(h.Value)
	}
	return max(sum, 1)
}

// NewPair makes the Pair of a record that was read at an offset; timed says that the client set its timestamp.
func NewPair(off kafka.Offset, timeMs int64, timed bool, key, value []byte, headers []Header) Pair {
	v, whole := OpenPayload(value)
	p := Pair{Off: off, V: v, Time: timeMs, Torn: !whole}
	if !timed {
		timeMs = 0
	}
	p.CRC = Sum(timeMs, key, value, headers)
	return p
}
