package segment

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/record"
)

// Seal is what a segment was when it was sealed: where it ended, and what stands in the part of its batches' headers that
// Kafka's CRC does not cover. It is a witness and nothing more: a gap in the offsets is compaction's work or damage, and the
// seal tells which. A segment without one is judged by its neighbours alone. So a seal is never synced for its own sake, and
// a torn one says nothing. What must not be is one of earlier content: it goes, durably, before the segment can change.
//
//	 0  4  CRC-32C of everything behind it
//	 4  2  version 1
//	 6  2  zero
//	 8  8  base offset
//	16  8  size of the .log in bytes
//	24  8  offset after the last batch
//	32  8  base offset of the next segment
//	40     stretches of 8: position of the first batch, and a sum (uint32 each)
type Seal struct {
	Base, End, Next kafka.Offset
	Size            int64
	// Stretches are ascending, and end where the next one begins. They need not begin with the segment: of what was written
	// before a restart only sizes are known.
	Stretches []Stretch
}

// Stretch is batches that follow each other, at least stretchBytes of them: where the first one stands, and the CRC-32C of the
// first sixteen bytes of each: base offset, length and leader epoch.
type Stretch struct{ Pos, Sum uint32 }

const (
	sealHead     = 40
	stretchSize  = 8
	sealVersion  = 1
	maxSealBytes = sealHead + stretchSize*(1<<31/stretchBytes+1)

	// stretchBytes is how finely a seal tells where a header is wrong: a GiB has 32 KiB of sums.
	stretchBytes = 256 << 10
	// uncovered are the bytes at the beginning of a batch that are summed. The magic behind them is judged by every walk, and
	// the CRC that follows it judges itself.
	uncovered = 16
)

// sealing gathers the stretches of a segment that is being written.
type sealing struct{ stretches []Stretch }

// take sums up the next batch, which stands at pos.
func (s *sealing) take(b record.Batch, pos int64) {
	n := len(s.stretches)
	if n == 0 || pos-int64(s.stretches[n-1].Pos) >= stretchBytes {
		s.stretches = append(s.stretches, Stretch{Pos: uint32(pos)})
		n++
	}
	last := &s.stretches[n-1]
	last.Sum = sumOf(last.Sum, b)
}

func sumOf(sum uint32, b record.Batch) uint32 {
	return crc32.Update(sum, crc32.MakeTable(crc32.Castagnoli), b[:uncovered])
}

// resumeSealing sums up again what a cut left of the stretch that it went through. What is said of damage nobody reads: a damaged
// segment is not sealed, and one that was mended is summed up anew.
func (k *Look) resumeSealing(m *memory) error {
	list := m.sealing.stretches
	for len(list) > 0 && int64(list[len(list)-1].Pos) >= k.size {
		list = list[:len(list)-1]
	}
	n := len(list) - 1
	m.sealing.stretches = list[:max(n, 0)]
	if n < 0 {
		return nil
	}
	for w := k.walker(int64(list[n].Pos)); ; {
		b, _, err := w.Header()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		m.sealing.take(b, w.began)
	}
}

// WriteSeal notes what a finished segment is; next is where the next one begins. One that is damaged gets no other seal than it
// has.
func (s *Segment) WriteSeal(next kafka.Offset) error {
	if s.damages.any.Load() {
		return nil
	}
	seal := Seal{Base: s.base, End: s.next, Next: next, Size: s.size, Stretches: s.mem.sealing.stretches}
	return s.writeAt(SealSuffix, seal.Append(nil), 0, true)
}

// Unseal takes the seal away: the segment is about to change. The caller makes that durable before anything is appended.
func (s *Segment) Unseal() error {
	if err := s.fs.Remove(s.Path(SealSuffix)); err != nil && !errors.Is(err, disk.ErrNotExist) {
		return fault.Storage("segment.Unseal", err)
	}
	return nil
}

// Append encodes the seal.
func (s *Seal) Append(dst []byte) []byte {
	from := len(dst)
	dst = append(dst, 0, 0, 0, 0, 0, sealVersion, 0, 0)
	for _, v := range []int64{int64(s.Base), s.Size, int64(s.End), int64(s.Next)} {
		dst = binary.BigEndian.AppendUint64(dst, uint64(v))
	}
	for _, t := range s.Stretches {
		dst = binary.BigEndian.AppendUint32(dst, t.Pos)
		dst = binary.BigEndian.AppendUint32(dst, t.Sum)
	}
	binary.BigEndian.PutUint32(dst[from:], crc32.Checksum(dst[from+4:], crc32.MakeTable(crc32.Castagnoli)))
	return dst
}

// ParseSeal decodes a seal. Bytes that are none are corruption.
func ParseSeal(data []byte) (Seal, error) {
	const op = "segment.ParseSeal"
	if len(data) < sealHead || (len(data)-sealHead)%stretchSize != 0 {
		return Seal{}, fault.Corruption(op, "%d bytes are no seal", len(data))
	}
	be := binary.BigEndian
	if crc := crc32.Checksum(data[4:], crc32.MakeTable(crc32.Castagnoli)); crc != be.Uint32(data) {
		return Seal{}, fault.Corruption(op, "CRC mismatch (stored %08x, computed %08x)", be.Uint32(data), crc)
	}
	if v := be.Uint16(data[4:]); v != sealVersion || be.Uint16(data[6:]) != 0 {
		return Seal{}, fault.Corruption(op, "unknown version %d", v)
	}
	at := func(i int) int64 { return int64(be.Uint64(data[i:])) }
	s := Seal{Base: kafka.Offset(at(8)), Size: at(16), End: kafka.Offset(at(24)), Next: kafka.Offset(at(32))}
	if s.Base < 0 || s.End < s.Base || s.Next < s.End || s.Size < 0 || s.Size > math.MaxUint32 {
		return Seal{}, fault.Corruption(op, "%d bytes of offsets %d to %d before %d", s.Size, s.Base, s.End, s.Next)
	}
	s.Stretches = make([]Stretch, 0, (len(data)-sealHead)/stretchSize)
	for i, before := sealHead, int64(-1); i < len(data); i += stretchSize {
		t := Stretch{be.Uint32(data[i:]), be.Uint32(data[i+4:])}
		if int64(t.Pos) <= before || int64(t.Pos) >= s.Size {
			return Seal{}, fault.Corruption(op, "a stretch at %d after %d in %d bytes", t.Pos, before, s.Size)
		}
		s.Stretches, before = append(s.Stretches, t), int64(t.Pos)
	}
	return s, nil
}

// Against holds a log file of the seal's size against its sums, and returns the first position from which on they differ; -1 when
// they don't.
func (s *Seal) Against(f disk.File, window []byte) (int64, error) {
	for i, t := range s.Stretches {
		end := s.Size
		if i+1 < len(s.Stretches) {
			end = int64(s.Stretches[i+1].Pos)
		}
		sum := uint32(0)
		for w := NewWalker(f, int64(t.Pos), end, window); ; {
			b, _, err := w.Header()
			if errors.Is(err, io.EOF) {
				break
			}
			if fault.IsKind(err, fault.Corrupt) {
				return w.Pos(), nil
			}
			if err != nil {
				return 0, err
			}
			sum = sumOf(sum, b)
		}
		if sum != t.Sum {
			return int64(t.Pos), nil
		}
	}
	return -1, nil
}

// LoadSeal reads the seal of a segment; nil when there is none, or none that checks: then nothing is known.
func LoadSeal(fsys disk.FS, dir string, base kafka.Offset) (*Seal, error) {
	data, err := checkpoint.Load(fsys, dir+"/"+Name(base, SealSuffix), maxSealBytes)
	if err == nil && data != nil {
		var s Seal
		if s, err = ParseSeal(data); err == nil && s.Base == base {
			return &s, nil
		}
	}
	if fault.IsKind(err, fault.Corrupt) {
		err = nil
	}
	return nil, err
}
