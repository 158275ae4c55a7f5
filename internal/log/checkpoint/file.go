// Package checkpoint reads and writes Kafka's small text files of "version, count, lines" and replaces any small file so
// that a crash leaves either the old content or the new.
//
// log, log/epoch and log.Dir call it. It knows what a line is, and of the four offset checkpoints what its fields mean;
// it never decides when to write. Invariants: Replace returns only when the new content and its name are on stable
// storage; a parser never allocates for more lines than the bytes can hold.
package checkpoint

import (
	"errors"
	"io"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
)

// TempSuffix marks a replacement that was not finished; such files are removed or overwritten, never read.
const TempSuffix = ".tmp"

// File is a small file and its content.
type File struct {
	Name string
	Data []byte
}

// Replace writes data under a temporary name, syncs it, renames it over name and syncs the directory.
func Replace(fsys disk.FS, dir, name string, data []byte) error {
	return ReplaceAll(fsys, dir, File{name, data})
}

// ReplaceAll replaces several files of a directory, each as Replace does, with one sync of the directory. A crash may leave
// some of them new and others old.
func ReplaceAll(fsys disk.FS, dir string, files ...File) error {
	for _, f := range files {
		if err := write(fsys, dir, f, true); err != nil {
			return err
		}
	}
	for _, f := range files {
		if err := Place(fsys, dir, f.Name); err != nil {
			return err
		}
	}
	if err := fsys.SyncDir(dir); err != nil {
		return fault.Storage("checkpoint.Replace", err)
	}
	return nil
}

// Draft and Place are the steps of Replace without its syncs, for whoever syncs many at once: between the two, and after them.
func Draft(fsys disk.FS, dir string, f File) error { return write(fsys, dir, f, false) }

// Place renames what Draft has written.
func Place(fsys disk.FS, dir, name string) error {
	if err := fsys.Rename(dir+"/"+name+TempSuffix, dir+"/"+name); err != nil {
		return fault.Storage("checkpoint.Replace", err)
	}
	return nil
}

// write makes a file of the data under its temporary name, on request durable but for that.
func write(fsys disk.FS, dir string, file File, synced bool) error {
	f, err := fsys.Open(dir+"/"+file.Name+TempSuffix, disk.Write|disk.Create|disk.Trunc)
	if err != nil {
		return fault.Storage("checkpoint.Replace", err)
	}
	_, err = f.WriteAt(file.Data, 0)
	if err == nil && synced {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fault.Storage("checkpoint.Replace", err)
	}
	return nil
}

// Load reads a whole small file; a missing one is nil without error, one beyond limit is corrupt.
func Load(fsys disk.FS, path string, limit int64) ([]byte, error) {
	f, err := fsys.Open(path, 0)
	if errors.Is(err, disk.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fault.Storage("checkpoint.Load", err)
	}
	defer func() { _ = f.Close() }()
	size, err := f.Size()
	if err != nil {
		return nil, fault.Storage("checkpoint.Load", err)
	}
	if size > limit {
		return nil, fault.Corruption("checkpoint.Load", "%s has %d bytes, more than the %d it may have", path, size, limit)
	}
	data := make([]byte, size)
	n, err := f.ReadAt(data, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fault.Storage("checkpoint.Load", err)
	}
	return data[:n:n], nil
}
