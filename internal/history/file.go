package history

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"

	"github.com/milena-io/milena/internal/fault"
)

// magic begins a history's file: the form's name and version.
const magic = "milena-history-1\n"

// maxFrame bounds one operation in a file; a frame that claims more is damage.
const maxFrame = 16 << 20

// What a frame holds.
const (
	frameOp    = 1
	frameGroup = 2
)

// History is everything that was recorded.
type History struct {
	Ops    []Op
	Groups []GroupOp
}

// Writer writes a history as it grows: an operation's invocation before it is sent and once more when it is complete, so
// that what was under way is known when the recorder dies.
//
// The form is magic, then frames: length of the body (uvarint), the body, its CRC-32C (big endian). A body is the kind of
// frame, then fields in order, numbers as varints, lists with their count.
type Writer struct {
	out   *bufio.Writer
	body  []byte
	frame []byte
}

// NewWriter begins a file.
func NewWriter(w io.Writer) (*Writer, error) {
	out := bufio.NewWriterSize(w, 64<<10)
	if _, err := out.WriteString(magic); err != nil {
		return nil, err
	}
	return &Writer{out: out}, nil
}

// Op writes an operation.
func (w *Writer) Op(o *Op) error {
	w.body = appendOp(append(w.body[:0], frameOp), o)
	return w.write()
}

// Group writes a group's event.
func (w *Writer) Group(o *GroupOp) error {
	w.body = appendGroup(append(w.body[:0], frameGroup), o)
	return w.write()
}

// Flush hands what is written to the underlying writer.
func (w *Writer) Flush() error { return w.out.Flush() }

func (w *Writer) write() error {
	if len(w.body) > maxFrame {
		return fault.Corruption("history.Writer", "an operation of %d bytes is longer than %d", len(w.body), maxFrame)
	}
	w.frame = binary.AppendUvarint(w.frame[:0], uint64(len(w.body)))
	w.frame = append(w.frame, w.body...)
	w.frame = binary.BigEndian.AppendUint32(w.frame, sum(w.body))
	_, err := w.out.Write(w.frame)
	return err
}

func sum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// Read reads a history. Of a file that is damaged or ends in the middle of a frame it returns what stands before, and the
// error. An operation of which only the invocation is there is Info.
func Read(r io.Reader) (History, error) {
	var h History
	in := bufio.NewReaderSize(r, 64<<10)
	first := make([]byte, len(magic))
	if _, err := io.ReadFull(in, first); err != nil || string(first) != magic {
		return h, fault.Corruption("history.Read", "this is not a history's file")
	}
	s := sorter{ops: map[int]int{}, groups: map[int]int{}}
	d := decoder{names: map[string]string{}}
	var err error
	for at := int64(len(magic)); ; {
		var n int64
		if n, err = d.next(in); err != nil {
			break
		}
		if err = s.take(&h, &d); err != nil {
			err = fault.Corruption("history.Read", "the operation at byte %d does not parse: %v", at, err)
			break
		}
		at += n
	}
	s.finish(&h)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return h, err
}

// sorter puts completions in the place of their invocations.
type sorter struct{ ops, groups map[int]int }

func (s *sorter) take(h *History, d *decoder) error {
	switch kind := d.byte(); kind {
	case frameOp:
		o := d.op()
		if err := d.end(); err != nil {
			return err
		}
		put(&h.Ops, s.ops, o.Index, o.Kind, o)
	case frameGroup:
		o := d.group()
		if err := d.end(); err != nil {
			return err
		}
		put(&h.Groups, s.groups, o.Index, o.Kind, o)
	default:
		return fault.Corruption("history.Read", "frames of kind %d are unknown", kind)
	}
	return nil
}

func put[T any](list *[]T, begun map[int]int, index int, kind Kind, o T) {
	if i, ok := begun[index]; ok && kind != Invoke {
		(*list)[i] = o
		delete(begun, index)
		return
	}
	if kind == Invoke {
		begun[index] = len(*list)
	}
	*list = append(*list, o)
}

// finish makes Info of what never completed.
func (s *sorter) finish(h *History) {
	for _, i := range s.ops {
		h.Ops[i].Kind, h.Ops[i].Complete = Info, Never
	}
	for _, i := range s.groups {
		h.Groups[i].Kind, h.Groups[i].Complete = Info, Never
	}
}

// next reads a frame into the decoder; it returns the frame's length. io.EOF is the end of the file between two frames.
func (d *decoder) next(in *bufio.Reader) (int64, error) {
	n, err := binary.ReadUvarint(in)
	switch {
	case errors.Is(err, io.EOF):
		return 0, io.EOF
	case err != nil:
		return 0, fault.Corruption("history.Read", "the file ends within a length: %v", err)
	case n > maxFrame:
		return 0, fault.Corruption("history.Read", "a frame claims %d bytes", n)
	}
	d.buffer = d.buffer[:0]
	for left := int(n) + 4; left > 0; { // by pieces: nothing is allocated on a claim alone
		piece := min(left, 64<<10)
		from := len(d.buffer)
		d.buffer = append(d.buffer, make([]byte, piece)...)
		if _, err := io.ReadFull(in, d.buffer[from:]); err != nil {
			return 0, fault.Corruption("history.Read", "the file ends within an operation")
		}
		left -= piece
	}
	body := d.buffer[:n]
	if binary.BigEndian.Uint32(d.buffer[n:]) != sum(body) {
		return 0, fault.Corruption("history.Read", "an operation's checksum does not match")
	}
	d.rest, d.err = body, nil
	var length [binary.MaxVarintLen64]byte
	return int64(binary.PutUvarint(length[:], n)) + int64(n) + 4, nil
}
