package disk

import (
	"strings"
	"sync"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/world"
)

// ReserveFile is the name of the file that holds a directory's reserve. It is there while its process runs.
const ReserveFile = ".milena-reserve"

// Allocator is the optional upgrade of a File that can take its blocks from the volume before they are written, so that
// they are not there for anybody else. On the others the reserve is as real as a file's length is.
type Allocator interface {
	// Allocate makes the file size bytes long, with all of them on the volume, or changes nothing.
	Allocate(size int64) error
}

// Space is a file system in which a full volume is a state and not a failure. In every directory that it is told to Keep
// it holds a reserve: a file that takes room from the volume. A call that finds no room is given a piece of the reserve
// and made again, and from that moment the directory is full: whoever asks Refuse is refused, until the reserve is whole
// again and some room besides. So deletions, checkpoints, metadata and what was admitted already still succeed.
//
// Bulk names the files that may use up half of a reserve and no more; the other half is for all others.
type Space struct {
	FS
	world world.World
	// Bulk says whether a file is of the many; nil for none. Changed is told by World.Go when a directory becomes full and
	// when it has room again; may be nil. Both are set before the first Keep.
	Bulk    func(path string) bool
	Changed func(Room)

	mu       sync.RWMutex // of the list; a reserve has its own
	reserves []*Reserve
}

// Room is how a directory stands.
type Room struct {
	Dir            string
	Full           bool
	Usable         int64 // bytes that are left on the volume to us; -1 when it does not say
	Reserve, Whole int64 // bytes in the reserve, and what they should be
}

// NewSpace wraps a file system; nothing changes until a directory is kept.
func NewSpace(w world.World, inner FS) *Space { return &Space{FS: inner, world: w} }

// Keep makes the reserve of a directory, which this process has locked: want bytes, but no more than a sixteenth of the
// volume. Where they are not there the directory begins full. Zero keeps none: what finds no room fails.
func (s *Space) Keep(dir string, want int64) (*Reserve, error) {
	total, _, err := s.FS.Usage(dir)
	if err != nil {
		return nil, fault.Storage("disk.Keep", err)
	}
	r := &Reserve{space: s, dir: dir, whole: min(want, total/reserveShare)}
	if r.file, err = s.FS.Open(dir+"/"+ReserveFile, Write|Create); err != nil && !fault.OutOfSpace(err) {
		return nil, fault.Storage("disk.Keep", err)
	}
	if err == nil {
		err = r.fill()
	}
	if err != nil && !fault.OutOfSpace(err) {
		_ = r.close()
		return nil, fault.Storage("disk.Keep", err)
	}
	s.mu.Lock()
	s.reserves = append(s.reserves, r)
	s.mu.Unlock()
	if err != nil {
		r.mu.Lock()
		r.enter()
		r.mu.Unlock()
	}
	return r, nil
}

// reserveShare is how many times a reserve must fit on its volume.
const reserveShare = 16

// of finds the reserve of the directory that a path lies in; nil when none is kept.
func (s *Space) of(path string) *Reserve {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, r := range s.reserves {
		if rest, in := strings.CutPrefix(path, r.dir); in && (rest == "" || rest[0] == '/') {
			return r
		}
	}
	return nil
}

// again reports whether a call that failed for want of n bytes should be made once more.
func (s *Space) again(path string, n int, err error) bool {
	if err == nil || !fault.OutOfSpace(err) {
		return false
	}
	r := s.of(path)
	return r != nil && r.give(int64(n), s.Bulk != nil && s.Bulk(path))
}

// Open opens a file; one that may be written draws on the reserve.
func (s *Space) Open(path string, flags Flag) (File, error) {
	f, err := s.FS.Open(path, flags)
	for s.again(path, 0, err) {
		f, err = s.FS.Open(path, flags)
	}
	if err != nil || flags&Write == 0 {
		return f, err
	}
	if real, ok := f.(osFile); ok {
		return &realFile{real, spaceFile{f, s, path}}, nil
	}
	return &spaceFile{f, s, path}, nil
}

// Rename may need room for a longer directory.
func (s *Space) Rename(from, to string) error {
	err := s.FS.Rename(from, to)
	for s.again(from, 0, err) {
		err = s.FS.Rename(from, to)
	}
	return err
}

// Remove needs room on file systems that write before they free.
func (s *Space) Remove(path string) error {
	err := s.FS.Remove(path)
	for s.again(path, 0, err) {
		err = s.FS.Remove(path)
	}
	return err
}

// RemoveAll is like Remove.
func (s *Space) RemoveAll(path string) error {
	err := s.FS.RemoveAll(path)
	for s.again(path, 0, err) {
		err = s.FS.RemoveAll(path)
	}
	return err
}

// MkdirAll needs room for every directory.
func (s *Space) MkdirAll(path string) error {
	err := s.FS.MkdirAll(path)
	for s.again(path, 0, err) {
		err = s.FS.MkdirAll(path)
	}
	return err
}

// spaceFile is a file that may be written. A write that is made again begins anew, at the same place.
type spaceFile struct {
	File
	space *Space
	path  string
}

func (f *spaceFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.File.WriteAt(p, off)
	for err != nil && f.space.again(f.path, len(p), err) {
		n, err = f.File.WriteAt(p, off)
	}
	return n, err
}

func (f *spaceFile) Truncate(size int64) error {
	err := f.File.Truncate(size)
	for f.space.again(f.path, 0, err) {
		err = f.File.Truncate(size)
	}
	return err
}

// Begin starts the writing that Sync waits for, where the file can.
func (f *spaceFile) Begin(from, n int64) {
	if b, ok := f.File.(Beginner); ok {
		b.Begin(from, n)
	}
}

// Written tells of failed writing, where the file can.
func (f *spaceFile) Written() error { return Written(f.File) }

// realFile is one of the operating system, with every upgrade that those have.
type realFile struct {
	osFile
	drawing spaceFile
}

func (f *realFile) WriteAt(p []byte, off int64) (int, error) { return f.drawing.WriteAt(p, off) }
func (f *realFile) Truncate(size int64) error                { return f.drawing.Truncate(size) }

// pollEvery is how often a full directory is looked at.
const pollEvery = time.Second
