package record

import (
	"bytes"
	"encoding/binary"
	"io"
	"sync"

	"github.com/klauspost/compress/s2"
)

// xerialHeader is the magic, version and compatible version of the snappy framing that Kafka's Java client writes.
var xerialHeader = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1}

// xerialBlock is how many plain bytes go into one snappy block, as in the Java client.
const xerialBlock = 32 << 10

var snappyReaders = sync.Pool{New: func() any { return new(snappyReader) }}

// snappyReader reads snappy block by block: framed as Java's client does it, or one bare block as librdkafka's.
type snappyReader struct {
	src    []byte
	framed bool
	plain  []byte // of the block at hand, what was not read yet
	buffer []byte // behind plain
	max    int    // bytes that all blocks together may have
	made   int
}

func (s *snappyReader) reset(src []byte, max int) {
	*s = snappyReader{src: src, buffer: s.buffer, max: max}
	if len(src) >= len(xerialHeader) && bytes.Equal(src[:8], xerialHeader[:8]) {
		s.framed, s.src = true, src[len(xerialHeader):]
	}
}

// emptied is the reader without what it read, for a pool.
func (s *snappyReader) emptied() *snappyReader {
	if cap(s.buffer) > poolKeep {
		s.buffer = nil
	}
	*s = snappyReader{buffer: s.buffer}
	return s
}

// Read is io.Reader's.
func (s *snappyReader) Read(b []byte) (int, error) {
	for len(s.plain) == 0 {
		if len(s.src) == 0 && (s.framed || s.made > 0) {
			return 0, io.EOF
		}
		if err := s.next(); err != nil {
			return 0, err
		}
		if !s.framed && s.made == 0 {
			return 0, io.EOF // a block of nothing
		}
	}
	n := copy(b, s.plain)
	s.plain = s.plain[n:]
	return n, nil
}

// next decodes the next block.
func (s *snappyReader) next() error {
	block := s.src
	s.src = nil
	if s.framed {
		if len(block) < 4 {
			return io.ErrUnexpectedEOF
		}
		n := binary.BigEndian.Uint32(block)
		if uint64(n) > uint64(len(block)-4) {
			return io.ErrUnexpectedEOF
		}
		s.src, block = block[4+n:], block[4:4+n]
	}
	n, err := s2.DecodedLen(block)
	if err != nil {
		return err
	}
	if n > 64*len(block)+64 { // snappy cannot do better than 64 to 1: don't allocate on a lie
		return s2.ErrCorrupt
	}
	if s.made+n > s.max {
		return errBomb
	}
	if s.plain, err = s2.Decode(s.buffer[:cap(s.buffer)], block); err != nil {
		return err
	}
	if cap(s.plain) > cap(s.buffer) {
		s.buffer = s.plain
	}
	s.made += n
	return nil
}
