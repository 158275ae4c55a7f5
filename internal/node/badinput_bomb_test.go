package node

import (
	"bytes"
	"encoding/binary"
	"io"
	"runtime"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// megabyte compresses a mebibyte of zeros.
func megabyte(t *testing.T, w io.WriteCloser, out *bytes.Buffer) []byte {
	t.Helper()
	if _, err := w.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// claim begins a record whose value has a gigabyte, so that all that follows is read as its value.
func claim() []byte {
	const value = 1 << 30
	body := append([]byte{0, 0, 0, 1}, binary.AppendVarint(nil, value)...) // attributes, deltas, no key
	return append(binary.AppendVarint(nil, int64(len(body)+value+1)), body...)
}

// bomb is what a batch of one record has for its records, small, and what unpacks to about a gigabyte of a record's value
// where its codec can pack so much, since frames that follow each other are one stream.
type bomb struct {
	name  string
	codec record.Codec
	bytes []byte
	full  kafka.ErrorCode // when its records are checked
	new   kafka.ErrorCode // when they are only packed anew, as nothing
}

func bombs(t *testing.T) []bomb {
	t.Helper()
	var zipped, lz, big, zs, wide bytes.Buffer
	first := func(c record.Codec) []byte { return must.Get(c.Compress(nil, -1, claim())) }
	repeated := func(c record.Codec, frame []byte, n int) []byte { return append(first(c), bytes.Repeat(frame, n)...) }
	large := lz4.NewWriter(&big)
	must.OK(large.Apply(lz4.BlockSizeOption(lz4.Block4Mb)))
	window := must.Get(zstd.NewWriter(&wide, zstd.WithWindowSize(128<<20), zstd.WithEncoderConcurrency(1), zstd.WithSingleSegment(false)))
	must.Get(window.Write(claim()))
	for range 200 {
		must.Get(window.Write(make([]byte, 1<<20)))
	}
	must.OK(window.Close())
	return []bomb{
		{"gzip", record.Gzip, repeated(record.Gzip, megabyte(t, must.Get(gzip.NewWriterLevel(&zipped, gzip.BestCompression)), &zipped), 900), kafka.ErrRecordListTooLarge, kafka.ErrMessageTooLarge},
		{"zstd", record.Zstd, repeated(record.Zstd, megabyte(t, must.Get(zstd.NewWriter(&zs)), &zs), 1000), kafka.ErrRecordListTooLarge, kafka.ErrMessageTooLarge},
		{"zstd with the largest window", record.Zstd, wide.Bytes(), kafka.ErrRecordListTooLarge, kafka.ErrRecordListTooLarge},
		{"zstd whose second frame has the largest window", record.Zstd, append(first(record.Zstd), wide.Bytes()...), kafka.ErrRecordListTooLarge, kafka.ErrRecordListTooLarge},
		{"lz4", record.LZ4, repeated(record.LZ4, megabyte(t, lz4.NewWriter(&lz), &lz), 200), kafka.ErrRecordListTooLarge, kafka.ErrMessageTooLarge},
		{"lz4 in blocks of 4 MiB", record.LZ4, repeated(record.LZ4, megabyte(t, large, &big), 200), kafka.ErrRecordListTooLarge, kafka.ErrMessageTooLarge},
		{"snappy, framed", record.Snappy, snappyBomb(), kafka.ErrInvalidRecord, kafka.ErrMessageTooLarge},
		{"snappy, one block", record.Snappy, snappyBlock(claim(), 20<<20), kafka.ErrInvalidRecord, kafka.ErrMessageTooLarge},
	}
}

// snappyBlock is a block of n plain bytes: some as they are, and copies of the last, 64 in three bytes.
func snappyBlock(begin []byte, n int) []byte {
	block := binary.AppendUvarint(nil, uint64(n))
	block = append(append(block, byte(len(begin)-1)<<2), begin...)
	left := n - len(begin)
	for ; left >= 64; left -= 64 {
		block = append(block, 63<<2|2, 1, 0)
	}
	if left > 0 {
		block = append(block, byte(left-1)<<2|2, 1, 0)
	}
	return block
}

// snappyBomb is Java's framing around blocks of 64 KiB, the first of which begins a record. Snappy packs 21 to 1 at best,
// so that its bombs end before the limit, and short of what they claim.
func snappyBomb() []byte {
	out := []byte("\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01")
	for begin := claim(); len(out) < 1_000_000; begin = []byte{0} {
		block := snappyBlock(begin, 1<<16)
		out = append(binary.BigEndian.AppendUint32(out, uint32(len(block))), block...)
	}
	return out
}

// maxUnpacking is what a bomb may take of memory, garbage included (reliability.md F23), bytes.
const maxUnpacking = 64 << 20

// TestBadInputBombs: what is small and would be a gigabyte is refused, and on the way it takes little memory; whether its
// records are checked, packed anew or both.
func TestBadInputBombs(t *testing.T) {
	for _, bomb := range bombs(t) {
		r := newRig(t)
		r.create("a", 1)
		r.create("other", 1, "compression.type", "gzip")
		r.create("unpacked", 1, "compression.type", "uncompressed", "milena.validate", "header")
		batch := forged(bomb.codec, both(both(put32(atCount, 1), put32(atLastDelta, 0)), with(bomb.bytes)))
		for _, topic := range []string{"a", "other", "unpacked"} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			p := r.write(topic, 0, batch)
			runtime.ReadMemStats(&after)
			want := bomb.full
			if topic == "unpacked" {
				want = bomb.new
			}
			if code := kafka.ErrorCode(p.ErrorCode); code != want {
				t.Errorf("%s, %s: %d bytes are answered with %v (%s)", bomb.name, topic, len(bomb.bytes), code, text(p.ErrorMessage))
			}
			took := after.TotalAlloc - before.TotalAlloc
			switch {
			case raced:
				t.Logf("%s, %s: memory is not measured: the race detector drops what is given to pools at random", bomb.name, topic)
			case took > maxUnpacking:
				t.Errorf("%s, %s: %d bytes take %d MB of memory", bomb.name, topic, len(bomb.bytes), took>>20)
			default:
				t.Logf("%s, %s: %d bytes: %v, %d MB", bomb.name, topic, len(bomb.bytes), kafka.ErrorCode(p.ErrorCode), took>>20)
			}
		}
		r.healthy()
	}
}
