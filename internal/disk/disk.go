// Package disk is the only way to files (architecture D2): the real file system, one in memory that yields crash
// images, one that fails on purpose, one that records the order of calls; and the flush service of a log dir.
//
// log, quorum, partition and node call it. Paths are slash-separated and relative to the FS root or absolute, as the
// opener of the FS decided. Nothing outside this package imports os for files, except the command line. It never
// interprets what it stores.
package disk

import (
	"errors"
	"io"
	"io/fs"
	"syscall"
)

// Errors that callers branch on; use errors.Is. Implementations wrap them as *fs.PathError.
var (
	ErrNotExist = fs.ErrNotExist
	ErrExist    = fs.ErrExist
	// ErrLocked is returned by Lock when another process holds the directory.
	ErrLocked = errors.New("disk: locked by another process")
)

// Broken reports whether an error of a read says that the device is failing or gone, rather than something about one file.
// Of a write or a sync every error says so.
func Broken(err error) bool {
	return errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ENXIO) || errors.Is(err, syscall.ENODEV)
}

// Flag says how to open a file. Files are always open for reading.
type Flag uint8

// The flags; they combine.
const (
	Write     Flag = 1 << iota // WriteAt, Truncate and Sync are allowed
	Create                     // create it when absent
	Exclusive                  // with Create: fail with ErrExist when present
	Trunc                      // cut to zero length
)

// Entry is one name in a directory.
type Entry struct {
	Name string
	Dir  bool
	Size int64 // bytes; zero for directories
}

// FS is a file system. What survives a crash is what POSIX promises and no more: file bytes after File.Sync; names
// (created, renamed, removed) after SyncDir of their directory. Rename replaces atomically.
type FS interface {
	Open(path string, flags Flag) (File, error)
	Rename(from, to string) error
	Remove(path string) error    // a file or an empty directory
	RemoveAll(path string) error // nil when absent
	MkdirAll(path string) error
	List(dir string) ([]Entry, error) // sorted by name
	Stat(path string) (Entry, error)
	SyncDir(dir string) error
	// Lock takes the directory's lock file for this process, or fails at once with ErrLocked and touches nothing.
	Lock(path string) (io.Closer, error)
	// Usage returns the bytes of the volume that holds dir: its size and what is left to us.
	Usage(dir string) (total, usable int64, err error)
}

// Syncer is anything that can be made durable.
type Syncer interface {
	// Sync returns when everything written before the call is on stable storage. After an error the state of the
	// file is unknown for ever (fsyncgate): give the log dir up, never retry.
	Sync() error
}

// Beginner is the optional upgrade of a Syncer whose writing can be begun before Sync waits for it: n bytes from a position on,
// or all from there with n zero. Begin promises nothing and tells of no failure: Sync does both.
type Beginner interface{ Begin(from, n int64) }

// File is a random-access file. Calls are safe for concurrent use. Close does not sync.
type File interface {
	io.ReaderAt
	io.WriterAt
	Syncer
	Truncate(size int64) error
	Size() (int64, error)
	Name() string
	Close() error
}

// Descriptor is the optional upgrade for sendfile: a File that has one on this operating system.
type Descriptor interface{ Fd() uintptr }

// Cache is the optional upgrade for reads that must not wait for the disk unawares: a File that knows what of it is in the
// page cache, on this operating system.
type Cache interface {
	// Resident reports whether a range, not empty, is in memory as a whole.
	Resident(off, n int64) bool
	// Ahead begins to bring a range into memory, and does not wait for it.
	Ahead(off, n int64)
	// Drop lets a range go from memory, but for what is not on stable storage yet. It is a hint.
	Drop(off, n int64)
}

// Sparse is the optional upgrade of a File that knows where it has no bytes on the volume.
type Sparse interface {
	// Data returns the first position at or after from that is not in a hole; in a hole there are zeros. Without any more it
	// is beyond every size, and where nobody tells it is from.
	Data(from int64) int64
}

// Dir returns a Syncer that makes the names in a directory durable.
func Dir(fsys FS, path string) Syncer { return dirSyncer{fsys, path} }

type dirSyncer struct {
	fs   FS
	path string
}

func (d dirSyncer) Sync() error { return d.fs.SyncDir(d.path) }
