package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/milena-io/milena/internal/must"
)

// Compress appends the compressed form of src to dst. level is the codec's own, -1 for its default.
func (c Codec) Compress(dst []byte, level int, src []byte) ([]byte, error) {
	out := bytes.NewBuffer(dst)
	w, err := c.compressor(out, level)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(src)
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	return out.Bytes(), err
}

// pooled is a compressor that goes back where it came from when it is closed.
type pooled struct {
	io.WriteCloser
	give func()
}

// Close ends the compressed form.
func (p pooled) Close() error {
	defer p.give()
	return p.WriteCloser.Close()
}

// compressor makes a writer whose input comes out compressed.
func (c Codec) compressor(out io.Writer, level int) (io.WriteCloser, error) {
	switch c {
	case None:
		return pooled{WriteCloser: asIs{out}, give: func() {}}, nil
	case Gzip:
		if level < gzip.DefaultCompression || level > gzip.BestCompression {
			return nil, errors.New("no such level of gzip")
		}
		pool := &gzipWriters[level-gzip.DefaultCompression]
		w, _ := pool.Get().(*gzip.Writer)
		if w == nil {
			w = must.Get(gzip.NewWriterLevel(nil, level))
		}
		w.Reset(out)
		return pooled{w, func() { pool.Put(w) }}, nil
	case Snappy:
		w := snappyWriters.Get().(*snappyWriter)
		w.out, w.plain, w.err = out, w.plain[:0], nil
		_, w.err = out.Write(xerialHeader)
		return pooled{w, func() { w.out = nil; snappyWriters.Put(w) }}, nil
	case LZ4:
		w := lz4Writers.Get().(*lz4.Writer)
		w.Reset(out)
		err := w.Apply(lz4.ConcurrencyOption(1), lz4.BlockSizeOption(lz4.Block64Kb), lz4.ChecksumOption(false), lz4.CompressionLevelOption(lz4Level(level)))
		return pooled{w, func() { lz4Writers.Put(w) }}, err
	case Zstd:
		l := zstdLevel(level)
		pool := &zstdWriters[l-zstd.SpeedFastest]
		w, _ := pool.Get().(*zstd.Encoder)
		if w == nil {
			w = must.Get(zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(l), zstd.WithEncoderCRC(false),
				zstd.WithWindowSize(zstdWindow), zstd.WithLowerEncoderMem(true)))
		}
		w.Reset(out)
		return pooled{w, func() { w.Reset(nil); pool.Put(w) }}, nil
	}
	return nil, errors.New("unknown codec")
}

// zstdWindow is how far back a match may lie in what we write: about a batch, bytes.
const zstdWindow = 1 << 20

// Compressors by level: they are costly to make.
var (
	gzipWriters   [gzip.BestCompression - gzip.DefaultCompression + 1]sync.Pool
	zstdWriters   [zstd.SpeedBestCompression - zstd.SpeedFastest + 1]sync.Pool
	lz4Writers    = sync.Pool{New: func() any { return lz4.NewWriter(nil) }}
	snappyWriters = sync.Pool{New: func() any { return &snappyWriter{plain: make([]byte, 0, xerialBlock)} }}
)

// zstdLevel maps the reference library's levels on the library's four.
func zstdLevel(level int) zstd.EncoderLevel {
	if level == -1 {
		return zstd.SpeedDefault
	}
	return zstd.EncoderLevelFromZstd(level)
}

// lz4Level maps Kafka's compression.lz4.level, 1 to 17, on the library's ten: Kafka's default 9 is its fast one.
func lz4Level(level int) lz4.CompressionLevel {
	if level <= 9 {
		return lz4.Fast
	}
	return lz4.CompressionLevel(1 << (8 + min(level-9, 9)))
}

// asIs is no compression.
type asIs struct{ io.Writer }

func (asIs) Close() error { return nil }

// snappyWriter frames snappy blocks as Java's client does.
type snappyWriter struct {
	out   io.Writer
	plain []byte // of the block that is not full yet
	block []byte
	err   error
}

// Write is io.Writer's.
func (s *snappyWriter) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 && s.err == nil {
		take := min(len(b), xerialBlock-len(s.plain))
		s.plain, b = append(s.plain, b[:take]...), b[take:]
		if len(s.plain) == xerialBlock {
			s.flush()
		}
	}
	return n, s.err
}

// Close writes what is left.
func (s *snappyWriter) Close() error {
	if len(s.plain) > 0 && s.err == nil {
		s.flush()
	}
	return s.err
}

func (s *snappyWriter) flush() {
	if most := 4 + s2.MaxEncodedLen(xerialBlock); cap(s.block) < most {
		s.block = make([]byte, most)
	}
	packed := s2.EncodeSnappy(s.block[4:cap(s.block)], s.plain)
	binary.BigEndian.PutUint32(s.block, uint32(len(packed)))
	_, s.err = s.out.Write(s.block[:4+len(packed)])
	s.plain = s.plain[:0]
}
