package disk

import (
	"syscall"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/must"
)

// The kernel's own ENOSPC, on a file system of 64 MiB: bulk ends at half of the reserve, the rest goes on, and removing a
// file ends the state.
func TestReserveOnASmallFileSystem(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("no small file system can be mounted here: %v", err)
	}
	defer func() { must.OK(syscall.Unmount(dir, 0)) }()
	fsys := NewOS()
	must.OK(fsys.MkdirAll(dir + "/d"))
	w, s, r, _ := spacedIn(t, fsys, dir+"/d", 4<<20)
	defer r.Abandon()
	f := must.Get(s.Open(dir+"/d/a.log", Write|Create))
	n, err := grow(f, 100_000)
	must.OK(f.Close())
	if room := r.Room(); !fault.OutOfSpace(err) || !room.Full || room.Reserve != 2<<20 || n < 60<<20 {
		t.Fatalf("bulk ends after %d bytes with %v at %+v", n, err, room)
	}
	g := must.Get(s.Open(dir+"/d/b.index", Write|Create))
	must.Get(g.WriteAt(make([]byte, 1<<20), 0))
	must.OK(g.Close())
	w.Run(time.Minute)
	if !r.Full() {
		t.Fatal("it takes records and has no room")
	}
	must.OK(s.Remove(dir + "/d/a.log"))
	w.Run(2 * pollEvery)
	if room := r.Room(); room.Full || room.Reserve != 4<<20 {
		t.Errorf("with room again it stands at %+v", room)
	}
}
