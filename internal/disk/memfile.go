package disk

import (
	"errors"
	"io/fs"
	"sync"
	"sync/atomic"
)

// memFile is a file's bytes now, at its last sync, and what changed them in between. While nothing has, synced is unset, unless
// a sync has failed: then what is read is not what the next sync makes durable, until all of it is written again.
type memFile struct {
	mu      sync.RWMutex
	id      int // in the journal
	now     content
	synced  content
	pending []memWrite
	parted  bool // a sync failed: now holds bytes that are clean and on no disk
}

// memWrite is one unsynced change: bytes written at an offset, or, with truncate set, a new size.
type memWrite struct {
	off      int64
	data     []byte
	size     int64 // of the file after it
	truncate bool
}

// write notes and makes a change. Called with the lock held; data is not changed any more.
func (f *memFile) write(data []byte, off int64) {
	f.begin()
	f.now.writeAt(data, off)
	f.pending = append(f.pending, memWrite{off: off, data: data, size: f.now.size})
}

func (f *memFile) truncate(size int64) {
	f.begin()
	f.now.truncate(size)
	f.pending = append(f.pending, memWrite{truncate: true, off: size, size: size})
}

// sync makes durable what is dirty. After a failed one that is what was written since, and no more.
func (f *memFile) sync() {
	if !f.parted {
		f.synced, f.pending = content{}, nil
		return
	}
	for i := range f.pending {
		f.synced.redo(&f.pending[i])
	}
	f.pending = nil
}

// failSync is a sync that could not write: what was dirty is clean now, is read as before while it stays in memory, and is on no
// disk. That is what ext4 and XFS do (Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020).
func (f *memFile) failSync() {
	if len(f.pending) > 0 {
		f.parted, f.pending = true, nil
	}
}

// evict drops from memory what is clean, so that what is read is what the disk has, with what is dirty over it.
func (f *memFile) evict() {
	if !f.parted {
		return
	}
	f.now = f.synced.share()
	for i := range f.pending {
		f.now.redo(&f.pending[i])
		f.pending[i].size = f.now.size
	}
	if f.parted = false; len(f.pending) == 0 {
		f.synced = content{}
	}
}

// begin keeps what is durable before the first change.
func (f *memFile) begin() {
	if len(f.pending) == 0 && !f.parted {
		f.synced = f.now.share()
	}
}

// durable returns a copy of what was synced.
func (f *memFile) durable() content {
	if len(f.pending) == 0 && !f.parted {
		return f.now.share()
	}
	return f.synced.share()
}

// memHandle is an open file.
type memHandle struct {
	mem      *Mem
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
	return h.node.now.readAt(p, off)
}

func (h *memHandle) WriteAt(p []byte, off int64) (int, error) {
	if err := h.checkWrite("write"); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, fail("write", h.name, errors.New("negative offset"))
	}
	data := append([]byte(nil), p...)
	h.node.mu.Lock()
	defer h.node.mu.Unlock()
	h.node.write(data, off)
	h.mem.note(Event{Op: OpWrite, Path: h.name, File: h.node.id, Off: off, Data: data})
	return len(p), nil
}

func (h *memHandle) Truncate(size int64) error {
	if err := h.checkWrite("truncate"); err != nil {
		return err
	}
	h.node.mu.Lock()
	defer h.node.mu.Unlock()
	h.node.truncate(size)
	h.mem.note(Event{Op: OpTruncate, Path: h.name, File: h.node.id, Off: size})
	return nil
}

// Sync makes the bytes durable. It does not make the name durable.
func (h *memHandle) Sync() error {
	if err := h.check("sync"); err != nil {
		return err
	}
	h.node.mu.Lock()
	defer h.node.mu.Unlock()
	h.node.sync()
	h.mem.note(Event{Op: OpSync, Path: h.name, File: h.node.id})
	return nil
}

// FailSync is a Sync that fails, as memFile.failSync does.
func (h *memHandle) FailSync() {
	h.node.mu.Lock()
	defer h.node.mu.Unlock()
	h.node.failSync()
	h.mem.note(Event{Op: opFailSync, Path: h.name, File: h.node.id})
}

func (h *memHandle) Size() (int64, error) {
	if err := h.check("stat"); err != nil {
		return 0, err
	}
	h.node.mu.RLock()
	defer h.node.mu.RUnlock()
	return h.node.now.size, nil
}

func (h *memHandle) Name() string { return h.name }

func (h *memHandle) Close() error {
	if h.closed.Swap(true) {
		return fail("close", h.name, fs.ErrClosed)
	}
	return nil
}

// Written says that no writing has failed: in memory none does.
func (h *memHandle) Written() error { return h.check("sync") }
