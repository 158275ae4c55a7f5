package listen

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/wire"
)

// watched is a real file that counts what is read through it.
type watched struct {
	disk.File
	reads atomic.Int64
}

func (w *watched) Fd() uintptr { return w.File.(disk.Descriptor).Fd() }

func (w *watched) ReadAt(p []byte, off int64) (int, error) {
	w.reads.Add(int64(len(p)))
	return w.File.ReadAt(p, off)
}

func realFile(t *testing.T, n int) *watched {
	return &watched{File: filled(t, disk.NewOS(), filepath.ToSlash(filepath.Join(t.TempDir(), "f")), n)}
}

// TestOutletSendsLargeSections: from the crossover on no byte of a section passes through the process, below it every byte
// does, and what arrives is the same.
func TestOutletSendsLargeSections(t *testing.T) {
	f := realFile(t, 4<<20)
	s := newSite(t, nil)
	c := s.dial()
	for _, n := range []int64{1, sendfileFrom - 1, sendfileFrom, 100_000, 3 << 20} {
		f.reads.Store(0)
		s.file.Store(&wire.Piece{File: f, Pos: 11, Len: n})
		c.send(fetch(0))
		_, body, ok := c.read()
		if !ok || !bytes.Equal(body[5:len(body)-4], pattern(4 << 20)[11:11+n]) {
			t.Fatalf("a section of %d bytes arrived as %d, or others", n, len(body))
		}
		if read := f.reads.Load(); (read > 0) != (n < sendfileFrom) {
			t.Fatalf("of a section of %d bytes %d were read into memory", n, read)
		}
	}
}

// TestOutletSharesAFile: connections that send from one file at the same time don't move each other's position.
func TestOutletSharesAFile(t *testing.T) {
	f := realFile(t, 4<<20)
	s := newSite(t, nil)
	s.file.Store(&wire.Piece{File: f, Pos: 5, Len: 2 << 20})
	want := pattern(4 << 20)[5 : 5+2<<20]
	var all sync.WaitGroup
	for range 4 {
		c := s.dial()
		all.Go(func() {
			for range 5 {
				c.send(fetch(0))
				if _, body, ok := c.read(); !ok || !bytes.Equal(body[5:len(body)-4], want) {
					t.Errorf("%d bytes came (%v), or others", len(body), ok)
				}
			}
		})
	}
	all.Wait()
}

// TestOutletFileEndsEarly: as TestSocketFileEndsEarly, where the kernel sends.
func TestOutletFileEndsEarly(t *testing.T) {
	s := newSite(t, nil)
	c := s.dial()
	s.file.Store(&wire.Piece{File: realFile(t, 300_000), Pos: 100_000, Len: 250_000})
	c.send(fetch(0))
	got, err := io.ReadAll(c.nc)
	if err != nil && len(got) == 0 {
		t.Fatal(err)
	}
	if n := binary.BigEndian.Uint32(got); n != 4+1+4+250_000+4 {
		t.Fatalf("%d bytes are promised", n)
	}
	if body := got[4+4+1+4:]; len(body) > 200_000 || !bytes.Equal(body, pattern(300_000)[100_000:100_000+len(body)]) {
		t.Fatalf("%d bytes came, or others", len(body))
	}
	s.wantClosed(reasonFile)
}

// TestOutletStuck: a client that stops reading in the middle of a section is given up by the reaper, which a blocked
// sendfile must not hide.
func TestOutletStuck(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Idle = 1 << 62 })
	s.file.Store(&wire.Piece{File: realFile(t, 64<<20), Len: 64 << 20})
	c := s.dial()
	c.send(fetch(0))
	if _, err := io.ReadFull(c.nc, make([]byte, 100_000)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is given up", func() bool {
		if s.pushing() == 1 {
			s.w.advance(time.Second)
		}
		return s.srv.Connections() == 0
	})
	s.wantClosed(reasonStuck)
}

// TestOutletPaused: a client that reads nothing for a while keeps its connection, unless its place is needed.
func TestOutletPaused(t *testing.T) {
	for _, crowded := range []bool{false, true} {
		s := newSite(t, func(o *Options) {
			o.Stuck, o.Idle = time.Hour, time.Hour
			if crowded {
				o.Limits.Total = 1
			}
		})
		s.file.Store(&wire.Piece{File: realFile(t, 64<<20), Len: 64 << 20})
		c := s.dial()
		c.send(fetch(0))
		if _, err := io.ReadFull(c.nc, make([]byte, 100_000)); err != nil {
			t.Fatal(err)
		}
		closed := func() bool { return s.srv.Connections() == 0 }
		if crowded {
			eventually(t, "its place is freed", func() bool {
				if s.pushing() == 1 {
					s.w.advance(10 * time.Second)
				}
				return closed()
			})
			s.wantClosed(reasonStuck)
			continue
		}
		eventually(t, "it reads nothing", func() bool { return s.pushing() == 1 })
		s.w.advance(50 * time.Minute)
		if _, err := io.ReadFull(c.nc, make([]byte, 60<<20)); err != nil || closed() {
			t.Fatalf("it paused, and has lost its connection: %v", err)
		}
	}
}

// TestSendBuffer: what the kernel holds of an answer is what was asked for, and its own size otherwise (Linux doubles it for its
// bookkeeping, socket(7)).
func TestSendBuffer(t *testing.T) {
	held := func(asked int) int {
		s := newSite(t, func(o *Options) { o.SendBuffer = asked })
		s.file.Store(&wire.Piece{Bytes: []byte("x")})
		c := s.dial()
		c.send(fetch(0))
		c.read()
		size := -1
		for _, c := range s.srv.all() {
			raw, err := c.nc.(*net.TCPConn).SyscallConn()
			if err == nil {
				err = raw.Control(func(fd uintptr) { size, _ = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF) })
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		return size
	}
	if got := held(50_000); got != 100_000 {
		t.Errorf("asked for 50,000 bytes, the kernel holds %d", got)
	}
	if got := held(-1); got == 100_000 || got < 1 {
		t.Errorf("asked for the system's size, the kernel holds %d", got)
	}
}
