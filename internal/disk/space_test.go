package disk

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/world"
)

// spaced is a directory d with a reserve of 64 KiB times 16 on a volume of 16 MiB.
func spaced(t *testing.T, fsys FS) (*world.Virtual, *Space, *Reserve, *[]bool) {
	t.Helper()
	return spacedIn(t, fsys, "d", 1<<20)
}

func spacedIn(t *testing.T, fsys FS, dir string, want int64) (*world.Virtual, *Space, *Reserve, *[]bool) {
	t.Helper()
	w := world.NewVirtual(1)
	s := NewSpace(w, fsys)
	s.Bulk = func(path string) bool { return strings.HasSuffix(path, ".log") }
	var told []bool
	s.Changed = func(r Room) { told = append(told, r.Full) }
	must.OK(s.MkdirAll(dir))
	r, err := s.Keep(dir, want)
	if err != nil {
		t.Fatal(err)
	}
	return w, s, r, &told
}

// grow appends to a file until it fails, and returns how many bytes it took.
func grow(f File, piece int) (n int64, err error) {
	for {
		size := must.Get(f.Size())
		if _, err := f.WriteAt(make([]byte, piece), size); err != nil {
			return n, err
		}
		n += int64(piece)
	}
}

func TestReserveGivesHalfToBulkAndTheRestToOthers(t *testing.T) {
	b := NewBounded(NewMem(), 16<<20)
	w, s, r, told := spaced(t, b)
	if room := r.Room(); room.Full || room.Reserve != 1<<20 || r.Refuse(1) != nil {
		t.Fatalf("a new directory stands at %+v", room)
	}
	n, err := grow(must.Get(s.Open("d/a.log", Write|Create)), 10_000)
	if room := r.Room(); !fault.OutOfSpace(err) || !room.Full || room.Reserve != 1<<19 || n < 15<<20 {
		t.Errorf("bulk ends after %d bytes with %v at %+v", n, err, room)
	}
	refused := r.Refuse(77)
	if m := fault.MessageOf(refused); fault.CodeOf(refused) != kafka.ErrKafkaStorageError || !fault.IsKind(refused, fault.Full) ||
		!strings.Contains(*m, "log directory d is full: 77 bytes were to be written") {
		t.Errorf("refused with %v", refused)
	}
	n, err = grow(must.Get(s.Open("d/b.index", Write|Create)), 10_000)
	if room := r.Room(); !fault.OutOfSpace(err) || room.Reserve != 0 || n < 1<<19-20_000 {
		t.Errorf("the rest ends after %d bytes with %v at %+v", n, err, room)
	}
	w.Run(time.Minute)
	if !slices.Equal(*told, []bool{true}) {
		t.Errorf("told %v", *told)
	}
	b.Resize(16<<20 + 1<<20 + 1<<17) // enough for the reserve, and not for what belongs above it
	w.Run(time.Minute)
	if !r.Full() {
		t.Error("it takes records with nothing above its reserve")
	}
	b.Resize(18 << 20)
	w.Run(pollEvery + time.Second)
	if room := r.Room(); room.Full || room.Reserve != 1<<20 || !slices.Equal(*told, []bool{true, false}) || r.Refuse(1) != nil {
		t.Errorf("with room again it stands at %+v, told %v", room, *told)
	}
	must.OK(r.Release())
	if _, err := b.Stat("d/" + ReserveFile); !errors.Is(err, ErrNotExist) {
		t.Errorf("a released reserve: %v", err)
	}
}

// Every call that changes the disk is made again with a piece of the reserve.
func TestReserveServesEveryCall(t *testing.T) {
	for op, call := range map[Op]func(fsys FS, f File) error{
		OpOpen:      func(fsys FS, _ File) error { _, err := fsys.Open("d/x", Write|Create); return err },
		OpRename:    func(fsys FS, _ File) error { return fsys.Rename("d/f", "d/g") },
		OpRemove:    func(fsys FS, _ File) error { return fsys.Remove("d/f") },
		OpRemoveAll: func(fsys FS, _ File) error { return fsys.RemoveAll("d/f") },
		OpMkdirAll:  func(fsys FS, _ File) error { return fsys.MkdirAll("d/e") },
		OpWrite:     func(_ FS, f File) error { _, err := f.WriteAt([]byte("hello"), 0); return err },
		OpTruncate:  func(_ FS, f File) error { return f.Truncate(9) },
	} {
		faulty := NewFaulty(NewMem())
		_, s, r, _ := spaced(t, faulty)
		f := must.Get(s.Open("d/f", Write|Create))
		faulty.Add(Fault{Op: op, Path: "d/", Times: 1, Err: ErrNoSpace, Keep: 2})
		if op == OpTruncate { // the reserve's own comes after it
			faulty.Heal()
			faulty.Add(Fault{Op: op, Path: "d/f", Times: 1, Err: ErrNoSpace})
		}
		if err := call(s, f); err != nil || !r.Full() || r.Room().Reserve == 1<<20 {
			t.Errorf("%s: %v, at %+v", op, err, r.Room())
		}
		faulty.Heal()
		faulty.Add(Fault{Op: op, Path: "d/f", Err: ErrIO})
		if op != OpOpen && op != OpMkdirAll {
			if err := call(s, f); !errors.Is(err, ErrIO) {
				t.Errorf("%s: another failure became %v", op, err)
			}
		}
	}
}

func TestReserveThatFindsNoRoomBeginsFull(t *testing.T) {
	b := NewBounded(NewMem(), 16<<20)
	must.OK(b.MkdirAll("d"))
	f := must.Get(b.Open("d/others", Write|Create))
	must.Get(f.WriteAt(make([]byte, 16<<20-300<<10), 0))
	w, _, r, told := spaced(t, b)
	w.Run(time.Minute)
	if room := r.Room(); !room.Full || room.Reserve != 256<<10 || !slices.Equal(*told, []bool{true}) {
		t.Errorf("it stands at %+v, told %v", room, *told)
	}
	must.OK(b.Remove("d/others"))
	w.Run(2 * pollEvery)
	if room := r.Room(); room.Full || room.Reserve != 1<<20 {
		t.Errorf("with room it stands at %+v", room)
	}
	r.Abandon()
	if e, err := b.Stat("d/" + ReserveFile); err != nil || e.Size != 1<<20 {
		t.Errorf("an abandoned reserve: %+v, %v", e, err)
	}
}

// On the real file system a reserve has its blocks.
func TestReserveHasBlocks(t *testing.T) {
	dir := t.TempDir()
	s := NewSpace(world.NewVirtual(1), NewOS())
	r, err := s.Keep(dir, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Abandon()
	if n, known := blocks(t, dir+"/"+ReserveFile); known && n < 1<<20 {
		t.Errorf("%d bytes on the volume", n)
	}
	f := must.Get(s.Open(dir+"/x", Write|Create))
	defer f.Close()
	if _, ok := f.(Descriptor); !ok {
		t.Error("its files have no descriptor to send from")
	}
	bare := must.Get(NewOS().Open(dir+"/x", Write))
	defer bare.Close()
	_, cache := f.(Cache)
	_, bareCache := bare.(Cache)
	_, begins := f.(Beginner)
	_, bareBegins := bare.(Beginner)
	if cache != bareCache || begins != bareBegins {
		t.Error("its files have lost an upgrade")
	}
	if err := os.Remove(dir + "/x"); err != nil {
		t.Fatal(err)
	}
}
