package disk

import (
	"sync"
	"syscall"
)

// Bounded is a file system on a volume of a size, for tests: what finds no room fails with ENOSPC, after what fits was
// written. Only the bytes of files count.
type Bounded struct {
	FS
	mu   sync.Mutex
	size int64
	used int64
}

// NewBounded bounds a file system that is empty as yet.
func NewBounded(inner FS, size int64) *Bounded { return &Bounded{FS: inner, size: size} }

// Resize changes the size of the volume.
func (b *Bounded) Resize(size int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.size = size
}

// Usage tells the bounds.
func (b *Bounded) Usage(string) (total, usable int64, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.size, max(b.size-b.used, 0), nil
}

// Open opens a file that counts.
func (b *Bounded) Open(path string, flags Flag) (File, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var was int64
	if e, err := b.FS.Stat(path); err == nil {
		was = e.Size
	} else if flags&Create != 0 && b.used >= b.size {
		return nil, fail("open", path, syscall.ENOSPC)
	}
	f, err := b.FS.Open(path, flags)
	if err != nil {
		return nil, err
	}
	if flags&Trunc != 0 {
		b.used -= was
	}
	return &boundedFile{f, b}, nil
}

// Rename frees what it replaces.
func (b *Bounded) Rename(from, to string) error {
	return b.freeing(to, func() error { return b.FS.Rename(from, to) })
}

// Remove frees a file's bytes at once, although who has it open may read on.
func (b *Bounded) Remove(path string) error {
	return b.freeing(path, func() error { return b.FS.Remove(path) })
}

// RemoveAll frees the bytes of a tree.
func (b *Bounded) RemoveAll(path string) error {
	return b.freeing(path, func() error { return b.FS.RemoveAll(path) })
}

func (b *Bounded) freeing(path string, f func() error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.bytes(path)
	err := f()
	if err == nil {
		b.used -= n
	}
	return err
}

// bytes counts what is below a name.
func (b *Bounded) bytes(path string) int64 {
	e, err := b.FS.Stat(path)
	if err != nil || !e.Dir {
		return e.Size
	}
	entries, _ := b.FS.List(path)
	n := int64(0)
	for _, e := range entries {
		n += b.bytes(path + "/" + e.Name)
	}
	return n
}

type boundedFile struct {
	File
	b *Bounded
}

func (f *boundedFile) WriteAt(p []byte, off int64) (int, error) {
	f.b.mu.Lock()
	defer f.b.mu.Unlock()
	size, err := f.Size()
	if err != nil {
		return 0, err
	}
	growth := max(off+int64(len(p))-size, 0)
	if room := max(f.b.size-f.b.used, 0); growth > room {
		fits := max(int64(len(p))-(growth-room), 0)
		if n, err := f.File.WriteAt(p[:fits], off); err != nil {
			return n, err
		}
		f.b.used += room
		return int(fits), fail("write", f.Name(), syscall.ENOSPC)
	}
	n, err := f.File.WriteAt(p, off)
	if err == nil {
		f.b.used += growth
	}
	return n, err
}

func (f *boundedFile) Truncate(size int64) error {
	f.b.mu.Lock()
	defer f.b.mu.Unlock()
	was, err := f.Size()
	if err != nil {
		return err
	}
	if size-was > max(f.b.size-f.b.used, 0) {
		return fail("truncate", f.Name(), syscall.ENOSPC)
	}
	if err := f.File.Truncate(size); err != nil {
		return err
	}
	f.b.used += size - was
	return nil
}
