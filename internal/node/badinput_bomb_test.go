package node

import (
	"bytes"
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

// bombs are as many zeros as go into the largest batch of a topic, for each codec: a gigabyte where the codec can, since
// frames that follow each other are one stream.
func bombs(t *testing.T) map[record.Codec][]byte {
	t.Helper()
	var zipped, lz, zs bytes.Buffer
	g := must.Get(gzip.NewWriterLevel(&zipped, gzip.BestCompression))
	return map[record.Codec][]byte{
		record.Gzip:   bytes.Repeat(megabyte(t, g, &zipped), 900),
		record.Zstd:   bytes.Repeat(megabyte(t, must.Get(zstd.NewWriter(&zs)), &zs), 1000),
		record.LZ4:    bytes.Repeat(megabyte(t, lz4.NewWriter(&lz), &lz), 200),
		record.Snappy: snappyBomb(),
	}
}

// snappyBomb is Java's framing around copies of one byte, each of 64 bytes in three.
func snappyBomb() []byte {
	block := []byte{0x80, 0x80, 0x04, 0, 0} // 65536 plain bytes, a literal of one
	for n := 1; n+64 <= 1<<16; n += 64 {
		block = append(block, 0xfe, 1, 0)
	}
	block = append(block, 62<<2|2, 1, 0) // the last 63
	out := []byte("\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01")
	for len(out) < 1_000_000 {
		out = append(append(out, 0, 0, byte(len(block)>>8), byte(len(block))), block...)
	}
	return out
}

// TestBadInputBombs: what is small and would be a gigabyte is refused, and on the way it takes little memory.
func TestBadInputBombs(t *testing.T) {
	for codec, bomb := range bombs(t) {
		r := newRig(t)
		r.create("a", 1)
		r.create("other", 1, "compression.type", "uncompressed")
		batch := forged(codec, with(bomb))
		for _, topic := range []string{"a", "other"} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			p := r.write(topic, 0, batch)
			runtime.ReadMemStats(&after)
			if code := kafka.ErrorCode(p.ErrorCode); code != kafka.ErrRecordListTooLarge && code != kafka.ErrInvalidRecord {
				t.Errorf("%v: %d bytes are answered with %v (%s)", codec, len(bomb), code, text(p.ErrorMessage))
			}
			// All that was allocated, garbage and pools that the race detector empties included; never all of it at a time.
			if took := after.TotalAlloc - before.TotalAlloc; took > 256<<20 {
				t.Errorf("%v: %d bytes take %d MB of memory", codec, len(bomb), took>>20)
			} else {
				t.Logf("%v: %d bytes: %v, %d MB", codec, len(bomb), kafka.ErrorCode(p.ErrorCode), took>>20)
			}
		}
		r.healthy()
	}
}
