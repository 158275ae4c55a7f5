package disk

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/world"
)

// Reserve is the room that one directory keeps for what must not fail. Its methods are safe for concurrent use.
type Reserve struct {
	space *Space
	dir   string
	whole int64 // bytes that it should have
	full  atomic.Bool

	mu     sync.Mutex
	file   File // nil when there was no room even for its name
	have   int64
	timer  world.Timer // of the next look while full
	closed bool
}

// Pieces of a reserve: what one call is given at least, and what must be free besides a whole reserve before a full
// directory takes records again, so that it does not go back and forth.
const (
	reservePieces = 16
	reserveMargin = 4
	leastPiece    = 64 << 10
	// leftForGood is the part of a reserve that neither records nor what takes room for good may use.
	leftForGood = 2
)

// Full reports whether the directory is full.
func (r *Reserve) Full() bool { return r.full.Load() }

// Refuse returns why nobody may write records of so many bytes now, nil when anybody may.
func (r *Reserve) Refuse(bytes int) error {
	if !r.full.Load() {
		return nil
	}
	room := r.Room()
	return &fault.Error{Op: "log.Append", Kind: fault.Full, Code: kafka.ErrKafkaStorageError, Message: room.refusal(bytes)}
}

// RefuseGrowth returns why nothing may be made now that takes room for good, nil when it may: half of a reserve is for
// what gives room back, and for the next start, which writes something for every partition.
func (r *Reserve) RefuseGrowth() error {
	if !r.full.Load() {
		return nil
	}
	room := r.Room()
	if room.Reserve >= room.Whole/leftForGood {
		return nil
	}
	return &fault.Error{Op: "disk.Reserve", Kind: fault.Full, Code: kafka.ErrKafkaStorageError, Message: fmt.Sprintf(
		"log directory %s is full, with %d bytes left of the %d of its reserve: delete something first", room.Dir, room.Reserve, room.Whole)}
}

// refusal is what a client is told.
func (r Room) refusal(bytes int) string {
	return fmt.Sprintf("log directory %s is full: %d bytes were to be written, %d are free and %d of the %d of its reserve; records are taken again when there is room",
		r.Dir, bytes, r.Usable, r.Reserve, r.Whole)
}

// Room tells how the directory stands.
func (r *Reserve) Room() Room {
	_, usable, err := r.space.FS.Usage(r.dir)
	if err != nil {
		usable = -1
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return Room{Dir: r.dir, Full: r.full.Load(), Usable: usable, Reserve: r.have, Whole: r.whole}
}

// fill makes the reserve whole, or when there is no room for that, as large as it gets. Called with the mutex held, or before anybody else knows the reserve.
func (r *Reserve) fill() error {
	size, err := r.file.Size()
	if err != nil {
		return err
	}
	r.have = min(size, r.whole)
	if size > r.whole {
		err = r.file.Truncate(r.whole)
	} else if size < r.whole {
		err = allocate(r.file, r.whole)
	}
	if err == nil {
		r.have = r.whole
		return nil
	}
	for part := r.whole / 2; part > max(r.have, leastPiece); part /= 2 { // what is there is better than nothing
		if allocate(r.file, part) == nil {
			r.have = part
			break
		}
	}
	return err
}

func allocate(f File, size int64) error {
	if a, ok := f.(Allocator); ok {
		return a.Allocate(size)
	}
	return f.Truncate(size)
}

// give frees a piece of the reserve that is enough for n bytes; false when there is none left for the caller.
func (r *Reserve) give(n int64, bulk bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.enter()
	floor := int64(0)
	if bulk {
		floor = r.whole / leftForGood
	}
	piece := max(n+leastPiece, r.whole/reservePieces)
	left := max(r.have-piece, floor)
	if r.file == nil || left >= r.have || r.file.Truncate(left) != nil {
		return false
	}
	r.have = left
	return true
}

// enter makes the directory full. Called with the mutex held.
func (r *Reserve) enter() {
	if r.full.Swap(true) {
		return
	}
	r.changed()
	r.timer = r.space.world.After(pollEvery, r.look)
}

func (r *Reserve) changed() {
	if r.space.Changed != nil {
		r.space.world.Go(func() { r.space.Changed(r.Room()) })
	}
}

// look makes the reserve whole and ends the state when there is room for that and some more.
func (r *Reserve) look() {
	_, usable, err := r.space.FS.Usage(r.dir)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	if err == nil && usable >= r.whole-r.have+max(r.whole/reserveMargin, leastPiece) && r.restore() == nil {
		r.full.Store(false)
		r.changed()
		return
	}
	r.timer = r.space.world.After(pollEvery, r.look)
}

func (r *Reserve) restore() (err error) {
	if r.file == nil {
		if r.file, err = r.space.FS.Open(r.dir+"/"+ReserveFile, Write|Create); err != nil {
			r.file = nil
			return err
		}
	}
	return r.fill()
}

// Release removes the reserve: the directory is about to be closed cleanly, and what that writes has the room.
func (r *Reserve) Release() error {
	err := r.close()
	if rerr := r.space.FS.Remove(r.dir + "/" + ReserveFile); rerr != nil && !errors.Is(rerr, ErrNotExist) {
		err = errors.Join(err, rerr)
	}
	if err != nil {
		return fault.Storage("disk.Release", err)
	}
	return nil
}

// Abandon leaves the file as it is: the process gives the directory up.
func (r *Reserve) Abandon() { _ = r.close() }

func (r *Reserve) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	r.closed = true
	if r.timer != nil {
		r.timer.Stop()
	}
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}
