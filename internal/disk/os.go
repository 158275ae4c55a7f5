package disk

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"sort"
)

// OS is the operating system's file system. Its zero value is ready.
type OS struct{}

// NewOS returns the operating system's file system.
func NewOS() OS { return OS{} }

// Open opens a file; it is created with mode 0644 as Kafka does.
func (OS) Open(path string, flags Flag) (File, error) {
	mode := os.O_RDONLY
	if flags&Write != 0 {
		mode = os.O_RDWR
	}
	if flags&Create != 0 {
		mode |= os.O_CREATE
	}
	if flags&Exclusive != 0 {
		mode |= os.O_EXCL
	}
	if flags&Trunc != 0 {
		mode |= os.O_TRUNC
	}
	var f *os.File
	err := patient(func() (err error) {
		f, err = os.OpenFile(filepath.FromSlash(path), mode, 0o644)
		return err
	})
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// Rename replaces atomically.
func (OS) Rename(from, to string) error {
	return os.Rename(filepath.FromSlash(from), filepath.FromSlash(to))
}

// Remove removes a file or an empty directory.
func (OS) Remove(path string) error { return os.Remove(filepath.FromSlash(path)) }

// RemoveAll removes a tree.
func (OS) RemoveAll(path string) error { return os.RemoveAll(filepath.FromSlash(path)) }

// MkdirAll makes a directory and its parents.
func (OS) MkdirAll(path string) error { return os.MkdirAll(filepath.FromSlash(path), 0o755) }

// List reads a directory, sorted by name. An entry that vanishes meanwhile is left out.
func (OS) List(dir string) ([]Entry, error) {
	var entries []os.DirEntry
	err := patient(func() (err error) {
		entries, err = os.ReadDir(filepath.FromSlash(dir))
		return err
	})
	if err != nil {
		return nil, err
	}
	out := make([]Entry, 0, len(entries))
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, entryOf(info))
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out, nil
}

// Stat describes one name.
func (OS) Stat(path string) (Entry, error) {
	info, err := os.Stat(filepath.FromSlash(path))
	if err != nil {
		return Entry{}, err
	}
	return entryOf(info), nil
}

func entryOf(info os.FileInfo) Entry {
	e := Entry{Name: info.Name(), Dir: info.IsDir()}
	if !e.Dir {
		e.Size = info.Size()
	}
	return e
}

// SyncDir makes the directory's names durable.
func (OS) SyncDir(dir string) error {
	return patient(func() error { return syncDir(filepath.FromSlash(dir)) })
}

// fewDescriptors is what a process may have open where nobody tells.
const fewDescriptors = 1024

// Lock takes the lock file for this process. The lock ends with the process, however it dies.
func (OS) Lock(path string) (io.Closer, error) { return lockFile(filepath.FromSlash(path)) }

// Usage asks the volume.
func (OS) Usage(dir string) (total, usable int64, err error) { return usage(filepath.FromSlash(dir)) }

// osFile is an *os.File whose Sync need not write metadata that reading back does not need.
type osFile struct{ *os.File }

func (f osFile) Sync() error { return dataSync(f.File) }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// zero fills the file with zeros from its end up to a size. When there is no room it is as long as it was.
func (f osFile) zero(size int64) error {
	was, err := f.Size()
	if err != nil {
		return err
	}
	zeros := make([]byte, 256<<10)
	for at := was; at < size && err == nil; at += int64(len(zeros)) {
		_, err = f.WriteAt(zeros[:min(int64(len(zeros)), size-at)], at)
	}
	if err != nil {
		_ = f.Truncate(was)
	}
	return err
}
