package disk

import (
	"errors"
	"io"
	"io/fs"
	"sync"
	"sync/atomic"
)

// memChunk is the unit in which a file in memory grows, bytes. The last chunk may be shorter, so that many small files
// stay small.
const memChunk = 16 << 10

// memFile is a file's bytes and what changed them since the last sync.
type memFile struct {
	mu      sync.RWMutex
	chunks  [][]byte
	size    int64
	pending []memWrite
}

// memWrite is one unsynced change: bytes written at an offset, or, with truncate set, a new size. It keeps what was
// there before, so that a crash image can be made by undoing.
type memWrite struct {
	off      int64
	data     []byte
	old      []byte // what data replaced; shorter when it extended the file
	oldSize  int64
	truncate bool
}

func (f *memFile) readAt(p []byte, off int64) (int, error) {
	if off >= f.size {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), f.size-off))
	for done := 0; done < n; {
		at := off + int64(done)
		c := f.chunks[at/memChunk]
		in := int(at % memChunk)
		k := 0
		if in < len(c) {
			k = copy(p[done:n], c[in:])
		} else { // a hole at the end of a short chunk
			k = min(n-done, memChunk-in)
			clear(p[done : done+k])
		}
		done += k
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) writeAt(p []byte, off int64) {
	end := off + int64(len(p))
	for done := 0; done < len(p); {
		at := off + int64(done)
		i, in := int(at/memChunk), int(at%memChunk)
		for len(f.chunks) <= i {
			f.chunks = append(f.chunks, nil)
		}
		k := min(len(p)-done, memChunk-in)
		f.chunks[i] = grown(f.chunks[i], in+k)
		copy(f.chunks[i][in:], p[done:done+k])
		done += k
	}
	f.size = max(f.size, end)
}

// grown returns c with at least n bytes, doubling up to a whole chunk.
func grown(c []byte, n int) []byte {
	if n <= len(c) {
		return c
	}
	if n > cap(c) {
		bigger := make([]byte, len(c), min(max(n, 2*cap(c), 512), memChunk))
		copy(bigger, c)
		c = bigger
	}
	return c[:n]
}

func (f *memFile) truncate(size int64) {
	if size < f.size {
		f.chunks = f.chunks[:min(len(f.chunks), int((size+memChunk-1)/memChunk))]
		if in := int(size % memChunk); in > 0 && len(f.chunks) > 0 && int(size/memChunk) < len(f.chunks) {
			last := &f.chunks[size/memChunk]
			if in < len(*last) {
				clear((*last)[in:])
				*last = (*last)[:in]
			}
		}
	}
	for int64(len(f.chunks))*memChunk < size {
		f.chunks = append(f.chunks, nil)
	}
	f.size = size
}

// slice copies a range that may reach past the end; what is past it is not returned.
func (f *memFile) slice(off, n int64) []byte {
	n = max(min(n, f.size-off), 0)
	if n == 0 {
		return nil
	}
	out := make([]byte, n)
	_, _ = f.readAt(out, off)
	return out
}

func (f *memFile) undo(w *memWrite) {
	if w.truncate {
		f.truncate(w.oldSize)
		f.writeAt(w.old, w.off)
		f.size = w.oldSize
		return
	}
	f.writeAt(w.old, w.off)
	f.truncate(w.oldSize)
}

// memHandle is an open file.
type memHandle struct {
	node     *memFile
	name     string
	writable bool
	closed   atomic.Bool
}

func (h *memHandle) check(op string) error {
	if h.closed.Load() {
		return fail(op, h.name, fs.ErrClosed)
	}
	return nil
}

func (h *memHandle) checkWrite(op string) error {
	if err := h.check(op); err != nil {
		return err
	}
	if !h.writable {
		return fail(op, h.name, fs.ErrPermission)
	}
	return nil
}

func (h *memHandle) ReadAt(p []byte, off int64) (int, error) {
	if err := h.check("read"); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, fail("read", h.name, errors.New("negative offset"))
	}
	h.node.mu.RLock()
	defer h.node.mu.RUnlock()
	return h.node.readAt(p, off)
}

func (h *memHandle) WriteAt(p []byte, off int64) (int, error) {
	if err := h.checkWrite("write"); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, fail("write", h.name, errors.New("negative offset"))
	}
	f := h.node
	f.mu.Lock()
	defer f.mu.Unlock()
	w := memWrite{off: off, data: append([]byte(nil), p...), old: f.slice(off, int64(len(p))), oldSize: f.size}
	f.writeAt(p, off)
	f.pending = append(f.pending, w)
	return len(p), nil
}

func (h *memHandle) Truncate(size int64) error {
	if err := h.checkWrite("truncate"); err != nil {
		return err
	}
	f := h.node
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pending = append(f.pending, memWrite{truncate: true, off: size, old: f.slice(size, f.size-size), oldSize: f.size})
	f.truncate(size)
	return nil
}

// Sync makes the bytes durable. It does not make the name durable.
func (h *memHandle) Sync() error {
	if err := h.check("sync"); err != nil {
		return err
	}
	h.node.mu.Lock()
	defer h.node.mu.Unlock()
	h.node.pending = nil
	return nil
}

func (h *memHandle) Size() (int64, error) {
	if err := h.check("stat"); err != nil {
		return 0, err
	}
	h.node.mu.RLock()
	defer h.node.mu.RUnlock()
	return h.node.size, nil
}

func (h *memHandle) Name() string { return h.name }

func (h *memHandle) Close() error {
	if h.closed.Swap(true) {
		return fail("close", h.name, fs.ErrClosed)
	}
	return nil
}
