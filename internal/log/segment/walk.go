package segment

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/record"
)

const walkOp = "segment.Walk"

// Walker walks the batches of a file from one position to another. It reads through a window that its caller lends,
// and grows it only for a batch whose bytes are all in the file.
type Walker struct {
	file   disk.File
	pos    int64 // of the batch that comes next
	limit  int64
	window []byte // what was read last; its capacity is the read size
	at     int64  // file position of window[0]

	// sparse: a header is read alone, until a batch has shown that the next one is in the same window. The headers of large
	// batches lie far apart, and what is between them is not copied for nothing.
	sparse  bool
	damages *damages // that are passed over; nil for none
	began   int64    // of the batch that was returned last
	ended   int64    // after it
}

// NewWalker starts a walk over [pos, limit) of a file; window's capacity is at least a batch header.
func NewWalker(f disk.File, pos, limit int64, window []byte) Walker {
	return Walker{file: f, pos: pos, limit: limit, window: window[:0], at: pos}
}

// Pos returns the position of the batch that comes next.
func (w *Walker) Pos() int64 { return w.pos }

// Header returns the next batch's header, 61 bytes valid until the next call, and its whole size, and moves past it.
// At the limit it returns io.EOF; bytes that are no batch are corruption.
func (w *Walker) Header() (record.Batch, int64, error) {
	size, err := w.peek()
	if err != nil {
		return nil, 0, err
	}
	b := w.view(record.HeaderSize)
	w.passed(size)
	return b, size, nil
}

// Whole returns the next batch with all its bytes, valid until the next call, and moves past it. It does not check the
// CRC.
func (w *Walker) Whole() (record.Batch, error) {
	size, err := w.peek()
	if err != nil {
		return nil, err
	}
	if err := w.fill(size); err != nil {
		return nil, err
	}
	b := w.view(size)
	w.passed(size)
	return b, nil
}

func (w *Walker) passed(size int64) {
	w.began = w.pos
	w.pos += size
	w.ended = w.pos
}

// hop passes over damage that begins or lies here.
func (w *Walker) hop() {
	if w.damages == nil {
		return
	}
	for {
		d, found := w.damages.at(w.pos)
		if !found {
			return
		}
		w.pos = d.End
	}
}

// peek checks the header at pos and returns the size of its batch.
func (w *Walker) peek() (int64, error) {
	w.hop()
	if w.pos >= w.limit {
		return 0, io.EOF
	}
	if w.limit-w.pos < record.HeaderSize {
		return 0, fault.Corruption(walkOp, "%s: %d bytes at %d are no batch", w.file.Name(), w.limit-w.pos, w.pos)
	}
	if err := w.fill(record.HeaderSize); err != nil {
		return 0, err
	}
	b := record.Batch(w.view(record.HeaderSize))
	size := int64(int32(binary.BigEndian.Uint32(b[8:]))) + record.LogOverhead
	switch {
	case size < record.HeaderSize || size > w.limit-w.pos:
		return 0, fault.Corruption(walkOp, "%s: batch at %d claims %d bytes, %d are there", w.file.Name(), w.pos, size, w.limit-w.pos)
	case b.Magic() != record.Magic:
		return 0, fault.Corruption(walkOp, "%s: batch at %d has magic %d", w.file.Name(), w.pos, b.Magic())
	case b.LastOffsetDelta() < 0 || b.BaseOffset() < 0 || b.LastOffset() < 0:
		return 0, fault.Corruption(walkOp, "%s: batch at %d has offsets %d to %d", w.file.Name(), w.pos, b.BaseOffset(), b.LastOffset())
	}
	return size, nil
}

// fill makes n bytes from pos on available in the window.
func (w *Walker) fill(n int64) error {
	if w.pos >= w.at && w.pos+n <= w.at+int64(len(w.window)) {
		return nil
	}
	if int64(cap(w.window)) < n {
		w.window = make([]byte, 0, n)
	}
	w.at = w.pos
	most := int64(cap(w.window))
	if w.sparse && (w.ended == 0 || w.ended-w.began > most/2) {
		most = n
	}
	w.window = w.window[:min(most, w.limit-w.pos)]
	got, err := w.file.ReadAt(w.window, w.pos)
	w.window = w.window[:got]
	if int64(got) >= n {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return fault.Corruption(walkOp, "%s ends at %d, inside the batch at %d", w.file.Name(), w.pos+int64(got), w.pos)
	}
	return fault.Storage(walkOp, err)
}

func (w *Walker) view(n int64) []byte {
	from := w.pos - w.at
	return w.window[from : from+n : from+n]
}
