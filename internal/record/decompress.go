package record

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
)

// A zstd frame names the window its decoder must hold, and nine bytes may ask for the most, which level 22 of the
// reference library does use. Windows up to the usual size, of levels up to 19, are kept for the next batch; a frame with
// a larger one is decoded as a whole, so that it costs what comes out of it and not what it asks for, one at a time.
const (
	maxZstdWindow   = 128 << 20
	usualZstdWindow = 8 << 20
)

// turns bounds how many batches are decompressed at once. Decompression is work and no waiting, so that more turns than
// processors gain nothing, and a thousand clients with bombs at once cost no more than these few.
var (
	turns     = make(chan struct{}, runtime.GOMAXPROCS(0))
	wideTurns = make(chan struct{}, 1)
)

// errBomb says that more comes out of a batch than its limit.
var errBomb = errors.New("decompressed records are larger than the limit")

// plainReader yields what a codec makes of compressed bytes, at most a limit of them, and holds little more than what
// the codec needs.
type plainReader struct {
	codec Codec
	src   []byte
	r     io.Reader
	max   int
	given int // bytes that were yielded
	give  func()
	wide  bool
}

// open begins to decompress, when its turn comes. Whoever has the reader must neither wait nor decompress before Close:
// others wait for the turn.
func (c Codec) open(src []byte, max int) *plainReader {
	turns <- struct{}{}
	p := &plainReader{codec: c, src: src, max: max, give: func() {}}
	var err error
	switch c {
	case None:
		p.r = bytes.NewReader(src)
	case Gzip:
		r := gzipReaders.Get().(*gzip.Reader)
		p.r, p.give, err = r, func() { gzipReaders.Put(r) }, r.Reset(bytes.NewReader(src))
	case Snappy:
		r := snappyReaders.Get().(*snappyReader)
		r.reset(src, max)
		p.r, p.give = r, func() { snappyReaders.Put(r.emptied()) }
	case LZ4:
		r := lz4Readers.Get().(*lz4.Reader)
		r.Reset(bytes.NewReader(src))
		p.r, p.give = r, func() { lz4Readers.Put(r) }
	case Zstd:
		r := zstdReaders.Get().(*zstd.Decoder)
		p.r, p.give, err = r, func() { _ = r.Reset(nil); zstdReaders.Put(r) }, r.Reset(bytes.NewReader(src))
	default:
		err = errors.New("unknown codec")
	}
	if err != nil {
		p.r = failing{err}
	}
	return p
}

// failing is a codec that could not begin.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// Read is io.Reader's. It fails with errBomb where the limit is passed.
func (p *plainReader) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	if errors.Is(err, zstd.ErrWindowSizeExceeded) && !p.wide {
		p.widen()
		return p.Read(b)
	}
	if p.given += n; p.given > p.max {
		return 0, errBomb
	}
	return n, err
}

// widen goes on, where it is, with all that the frames hold.
func (p *plainReader) widen() {
	p.wide = true
	wideTurns <- struct{}{}
	before := p.give
	p.give = func() { before(); <-wideTurns }
	plain, err := unzstdWide(p.src, p.max)
	switch {
	case err != nil:
		p.r = failing{err}
	default:
		p.r = bytes.NewReader(plain[min(p.given, len(plain)):])
	}
}

// Close gives the codec and the turn back.
func (p *plainReader) Close() {
	p.give()
	<-turns
}

// explain makes an error for the callers of what reading ended with.
func (p *plainReader) explain(err error) error {
	if errors.Is(err, errBomb) {
		return fault.New("record", kafka.ErrRecordListTooLarge, "decompressed records are larger than %d bytes", p.max)
	}
	return &fault.Error{Op: "record", Kind: fault.Corrupt, Code: kafka.ErrCorruptMessage, Message: "records do not decompress as " + p.codec.String(), Cause: err}
}

var gzipReaders = sync.Pool{New: func() any { return new(gzip.Reader) }}

var lz4Readers = sync.Pool{New: func() any {
	r := lz4.NewReader(nil)
	_ = r.Apply(lz4.ConcurrencyOption(1))
	return r
}}

var zstdReaders = sync.Pool{New: func() any {
	return must.Get(zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(usualZstdWindow)))
}}

// unzstdWide decodes frames of any window that is allowed. What came out already is the window, so that memory follows
// what comes out and not the claim; it grows in few steps, since each begins anew.
func unzstdWide(src []byte, max int) ([]byte, error) {
	r := must.Get(zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxZstdWindow), zstd.WithDecodeAllCapLimit(true)))
	defer r.Close()
	for size := min(4<<20, max); ; size = min(size*4, max) {
		plain, err := r.DecodeAll(src, make([]byte, 0, size))
		if !errors.Is(err, zstd.ErrDecoderSizeExceeded) {
			return plain, err
		}
		if size == max {
			return nil, errBomb
		}
	}
}

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

var plainPool = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// poolKeep is the largest buffer that goes back to a pool, bytes.
const poolKeep = 4 << 20

// decompressPooled lends the plain bytes until release. Whoever has them must neither wait nor decompress: others wait for
// the turn.
func (c Codec) decompressPooled(src []byte, max int) (plain []byte, release func(), err error) {
	p := c.open(src, max)
	out := plainPool.Get().(*bytes.Buffer)
	out.Reset()
	if _, err := out.ReadFrom(p); err != nil {
		p.Close()
		return nil, nil, p.explain(err)
	}
	return out.Bytes(), func() {
		p.Close()
		if out.Cap() <= poolKeep {
			plainPool.Put(out)
		}
	}, nil
}
