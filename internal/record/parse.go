package record

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrShort marks bytes that end before the batch does: a torn tail, or a read that has to go on. Test with errors.Is.
var ErrShort = io.ErrUnexpectedEOF

// PeekSize returns the whole size in bytes of the batch that begins at buf, from its first 12 bytes. It fails with
// ErrShort, or with a corruption when the length field cannot be right.
func PeekSize(buf []byte) (int, error) {
	if len(buf) < LogOverhead {
		return 0, ErrShort
	}
	n := int32(binary.BigEndian.Uint32(buf[posLength:]))
	if n < HeaderSize-LogOverhead {
		return 0, fault.Corruption("record", "a batch claims %d bytes, less than its header", n)
	}
	return LogOverhead + int(n), nil
}

// Next takes the first batch off buf. It checks lengths, the magic and the header's arithmetic, not the CRC. Errors:
// ErrShort when buf ends first; a corruption otherwise, of code INVALID_RECORD for the old formats, and with the batch when it is whole.
func Next(buf []byte) (b Batch, rest []byte, err error) {
	n, err := PeekSize(buf)
	if err != nil {
		return nil, nil, err
	}
	if len(buf) > posMagic && buf[posMagic] > Magic {
		return nil, nil, fault.Corruption("record", "Invalid magic %d in a batch", int8(buf[posMagic]))
	}
	if len(buf) > posMagic && buf[posMagic] < Magic {
		old := fault.Corruption("record", "batch of magic %d: only magic 2 is taken", buf[posMagic])
		old.Code = kafka.ErrInvalidRecord // what a client with an old format is told
		return nil, nil, old
	}
	if n > len(buf) {
		return nil, nil, ErrShort
	}
	b = Batch(buf[:n:n])
	return b, buf[n:], b.checkHeader()
}

// Parse takes buf as exactly one batch.
func Parse(buf []byte) (Batch, error) {
	b, rest, err := Next(buf)
	if err == nil && len(rest) > 0 {
		err = fault.Corruption("record", "%d bytes follow the batch", len(rest))
	}
	return b, err
}

// checkHeader checks what the accessors and the log rely on.
func (b Batch) checkHeader() error {
	switch {
	case b.LastOffsetDelta() < 0:
		return fault.Corruption("record", "last offset delta %d is negative", b.LastOffsetDelta())
	case b.Count() < 0:
		return fault.Corruption("record", "record count %d is negative", b.Count())
	case b.BaseOffset() < 0 || b.BaseOffset()+kafka.Offset(b.LastOffsetDelta()) < 0:
		return fault.Corruption("record", "base offset %d does not fit", b.BaseOffset())
	case b.Count() > b.LastOffsetDelta()+1 && b.LastOffsetDelta() != 1<<31-1:
		return fault.Corruption("record", "%d records in %d offsets", b.Count(), b.LastOffsetDelta()+1)
	case b.Codec() > Zstd:
		return fault.Corruption("record", "unknown compression codec %d", b.Codec())
	}
	return nil
}

// ComputeCRC returns the CRC-32C that the batch should have.
func (b Batch) ComputeCRC() uint32 { return crc32.Checksum(b[posAttributes:], castagnoli) }

// CheckCRC fails with a corruption when the stored CRC is not that of the bytes.
func (b Batch) CheckCRC() error {
	if have, want := b.CRC(), b.ComputeCRC(); have != want {
		return fault.Corruption("record", "Record is corrupt (stored crc = %d, computed crc = %d)", have, want)
	}
	return nil
}

// SetMaxTimestamp patches the largest timestamp and the timestamp type, and computes the CRC anew.
func (b Batch) SetMaxTimestamp(ms int64, logAppendTime bool) {
	attrs := b.Attributes() &^ AttrLogAppendTime
	if logAppendTime {
		attrs |= AttrLogAppendTime
	}
	binary.BigEndian.PutUint16(b[posAttributes:], uint16(attrs))
	binary.BigEndian.PutUint64(b[posMaxTimestamp:], uint64(ms))
	b.Seal()
}

// Seal writes the CRC of the bytes as they are.
func (b Batch) Seal() { binary.BigEndian.PutUint32(b[posCRC:], b.ComputeCRC()) }

// IsShort reports whether an error says that the bytes ended too early.
func IsShort(err error) bool { return errors.Is(err, ErrShort) }

func (b Batch) setLength() { binary.BigEndian.PutUint32(b[posLength:], uint32(len(b)-LogOverhead)) }

func (b Batch) setCodec(c Codec) {
	binary.BigEndian.PutUint16(b[posAttributes:], uint16(b.Attributes()&^AttrCodecMask)|uint16(c))
}
