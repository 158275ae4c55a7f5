package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
)

// xerialHeader is the magic, version and compatible version of the snappy framing that Kafka's Java client writes.
var xerialHeader = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1}

// xerialBlock is how many plain bytes go into one snappy block, as in the Java client.
const xerialBlock = 32 << 10

// A zstd frame names the window its decoder must hold, and nine bytes may ask for the most, which level 22 of the
// reference library does use. Windows up to the usual size, of levels up to 19, are kept for the next batch; a larger one
// is allocated for the batch at hand, one at a time.
const (
	maxZstdWindow   = 128 << 20
	usualZstdWindow = 8 << 20
)

// turns bounds how many batches are plain in memory at once. Decompression is work and no waiting, so that more turns than
// processors gain nothing, and a thousand clients with bombs at once cost no more than these few.
var (
	turns     = make(chan struct{}, runtime.GOMAXPROCS(0))
	wideTurns = make(chan struct{}, 1)
)

// errBomb is returned by the capped writer.
var errBomb = errors.New("decompressed records are larger than the limit")

// capped is a buffer that refuses to grow past a limit.
type capped struct {
	bytes.Buffer
	max int
}

func (c *capped) Write(p []byte) (int, error) {
	if c.Len()+len(p) > c.max {
		return 0, errBomb
	}
	return c.Buffer.Write(p)
}

var plainPool = sync.Pool{New: func() any { return &capped{} }}

// poolKeep is the largest buffer that goes back to the pool, bytes.
const poolKeep = 4 << 20

// Decompress appends the plain bytes to dst, at most max of them. Errors: a corruption, or RECORD_LIST_TOO_LARGE when
// there are more than max; memory follows the bytes really produced, never a claim.
func (c Codec) Decompress(dst, src []byte, max int) ([]byte, error) {
	plain, release, err := c.decompressPooled(src, max)
	if err != nil {
		return nil, err
	}
	defer release()
	return append(dst, plain...), nil
}

// decompressPooled lends the plain bytes until release. Whoever has them must neither wait nor decompress: others wait for
// the turn.
func (c Codec) decompressPooled(src []byte, max int) (plain []byte, release func(), err error) {
	turns <- struct{}{}
	out := plainPool.Get().(*capped)
	out.Reset()
	out.max = max
	release = func() {
		<-turns
		if out.Cap() <= poolKeep {
			plainPool.Put(out)
		}
	}
	switch c {
	case None:
		_, err = out.Write(src)
	case Gzip:
		err = gunzip(out, src)
	case Snappy:
		err = unsnappy(out, src)
	case LZ4:
		err = unlz4(out, src)
	case Zstd:
		err = unzstd(out, src)
	default:
		err = errors.New("unknown codec")
	}
	if err != nil {
		release()
		if errors.Is(err, errBomb) {
			return nil, nil, fault.New("record", kafka.ErrRecordListTooLarge, "decompressed records are larger than %d bytes", max)
		}
		return nil, nil, &fault.Error{Op: "record", Kind: fault.Corrupt, Code: kafka.ErrCorruptMessage, Message: "records do not decompress as " + c.String(), Cause: err}
	}
	return out.Bytes(), release, nil
}

var gzipReaders = sync.Pool{New: func() any { return new(gzip.Reader) }}

func gunzip(out *capped, src []byte) error {
	r := gzipReaders.Get().(*gzip.Reader)
	defer gzipReaders.Put(r)
	if err := r.Reset(bytes.NewReader(src)); err != nil {
		return err
	}
	return drain(out, r)
}

var lz4Readers = sync.Pool{New: func() any {
	r := lz4.NewReader(nil)
	_ = r.Apply(lz4.ConcurrencyOption(1))
	return r
}}

func unlz4(out *capped, src []byte) error {
	r := lz4Readers.Get().(*lz4.Reader)
	defer lz4Readers.Put(r)
	r.Reset(bytes.NewReader(src))
	return drain(out, r)
}

var zstdReaders = sync.Pool{New: func() any { return newZstdReader(usualZstdWindow) }}

func newZstdReader(window uint64) *zstd.Decoder {
	return must.Get(zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(window)))
}

func unzstd(out *capped, src []byte) error {
	r := zstdReaders.Get().(*zstd.Decoder)
	defer func() {
		_ = r.Reset(nil)
		zstdReaders.Put(r)
	}()
	err := readZstd(out, r, src)
	if errors.Is(err, zstd.ErrWindowSizeExceeded) {
		wideTurns <- struct{}{}
		defer func() { <-wideTurns }()
		wide := newZstdReader(maxZstdWindow)
		defer wide.Close()
		out.Reset()
		err = readZstd(out, wide, src)
	}
	return err
}

func readZstd(out *capped, r *zstd.Decoder, src []byte) error {
	if err := r.Reset(bytes.NewReader(src)); err != nil {
		return err
	}
	return drain(out, r)
}

// drain copies in steps, so that a bomb costs no more than the limit and one step.
func drain(out *capped, r io.Reader) error {
	step := make([]byte, 32<<10)
	for {
		n, err := r.Read(step)
		if _, werr := out.Write(step[:n]); werr != nil {
			return werr
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func unsnappy(out *capped, src []byte) error {
	if len(src) < len(xerialHeader) || !bytes.Equal(src[:8], xerialHeader[:8]) {
		return unsnappyBlock(out, src)
	}
	for src = src[len(xerialHeader):]; len(src) > 0; {
		if len(src) < 4 {
			return io.ErrUnexpectedEOF
		}
		n := binary.BigEndian.Uint32(src)
		src = src[4:]
		if uint64(n) > uint64(len(src)) {
			return io.ErrUnexpectedEOF
		}
		if err := unsnappyBlock(out, src[:n]); err != nil {
			return err
		}
		src = src[n:]
	}
	return nil
}

func unsnappyBlock(out *capped, block []byte) error {
	n, err := s2.DecodedLen(block)
	if err != nil {
		return err
	}
	if n > 64*len(block)+64 { // snappy cannot do better than 64 to 1: don't allocate on a lie
		return s2.ErrCorrupt
	}
	if out.Len()+n > out.max {
		return errBomb
	}
	plain, err := s2.Decode(nil, block)
	if err != nil {
		return err
	}
	_, err = out.Write(plain)
	return err
}

// Compress appends the compressed form of src to dst. level is the codec's own, -1 for its default.
func (c Codec) Compress(dst []byte, level int, src []byte) ([]byte, error) {
	out := bytes.NewBuffer(dst)
	var err error
	switch c {
	case None:
		out.Write(src)
	case Gzip:
		var w *gzip.Writer
		if w, err = gzip.NewWriterLevel(out, level); err == nil {
			err = finish(w, src)
		}
	case Snappy:
		out.Write(xerialHeader)
		for len(src) > 0 {
			n := min(len(src), xerialBlock)
			block := s2.EncodeSnappy(nil, src[:n])
			_ = binary.Write(out, binary.BigEndian, uint32(len(block)))
			out.Write(block)
			src = src[n:]
		}
	case LZ4:
		w := lz4.NewWriter(out)
		if err = w.Apply(lz4.ConcurrencyOption(1), lz4.BlockSizeOption(lz4.Block64Kb), lz4.ChecksumOption(false), lz4.CompressionLevelOption(lz4Level(level))); err == nil {
			err = finish(w, src)
		}
	case Zstd:
		var w *zstd.Encoder
		l := zstd.SpeedDefault
		if level > 0 {
			l = zstd.EncoderLevelFromZstd(level)
		}
		if w, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(l), zstd.WithEncoderCRC(false)); err == nil {
			return w.EncodeAll(src, dst), nil
		}
	default:
		err = errors.New("unknown codec")
	}
	return out.Bytes(), err
}

func finish(w io.WriteCloser, src []byte) error {
	if _, err := w.Write(src); err != nil {
		return err
	}
	return w.Close()
}

// lz4Level maps Kafka's compression.lz4.level, 1 to 17, on the library's ten: Kafka's default 9 is its fast one.
func lz4Level(level int) lz4.CompressionLevel {
	if level <= 9 {
		return lz4.Fast
	}
	return lz4.CompressionLevel(1 << (8 + min(level-9, 9)))
}
