package listen

import (
	"bytes"
	"encoding/binary"
	"io"
	"path/filepath"
	"slices"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/wire"
)

// filled is a file of n bytes on a file system of memory, or on the real one.
func filled(t *testing.T, fsys disk.FS, path string, n int) disk.File {
	t.Helper()
	f, err := fsys.Open(path, disk.Write|disk.Create)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	if _, err := f.WriteAt(pattern(n), 0); err != nil {
		t.Fatal(err)
	}
	return f
}

// TestSocketFilePieces: sections of files arrive byte for byte between pieces of memory, whatever their size and place.
func TestSocketFilePieces(t *testing.T) {
	for name, f := range map[string]disk.File{
		"memory": filled(t, disk.NewMem(), "f", 4<<20),
		"real":   filled(t, disk.NewOS(), filepath.ToSlash(filepath.Join(t.TempDir(), "f")), 4<<20),
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, nil)
			c := s.dial()
			for _, at := range [][2]int64{{0, 1}, {5, 0}, {17, 4096}, {4096, writeBytes}, {1, writeBytes - 12}, {3, 2<<20 + 1}, {4<<20 - 9, 9}} {
				s.file.Store(&wire.Piece{File: f, Pos: at[0], Len: at[1]})
				c.send(fetch(0), metadata())
				_, body, ok := c.read()
				section := pattern(4 << 20)[at[0] : at[0]+at[1]]
				if want := slices.Concat([]byte{0}, []byte("head"), section, []byte("tail")); !ok || !bytes.Equal(body, want) {
					t.Fatalf("of %d bytes at %d came %d in all (%v), or others", at[1], at[0], len(body), ok)
				}
				c.want(c.n - 1)
			}
		})
	}
}

// TestSocketFileEndsEarly: a promised length that the file cannot keep is broken visibly: the client gets what there is and
// then the end, never other bytes.
func TestSocketFileEndsEarly(t *testing.T) {
	s := newSite(t, nil)
	c, good := s.dial(), s.dial()
	s.file.Store(&wire.Piece{File: filled(t, disk.NewMem(), "f", 300_000), Pos: 100_000, Len: 250_000})
	c.send(fetch(0), metadata())
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
	if s.log.count("cannot read what is being sent") != 1 {
		t.Fatalf("log %q", s.log.lines)
	}
	good.send(metadata())
	good.want(0)
}

// TestSocketLeavesInAFilePiece: a client that breaks the connection in the middle of a section leaves nothing behind.
func TestSocketLeavesInAFilePiece(t *testing.T) {
	s := newSite(t, nil)
	s.file.Store(&wire.Piece{File: filled(t, disk.NewMem(), "f", 32<<20), Len: 32 << 20})
	c := s.dial()
	c.send(fetch(0), fetch(0), metadata())
	if _, err := io.ReadFull(c.nc, make([]byte, 100_000)); err != nil {
		t.Fatal(err)
	}
	_ = c.nc.Close()
	s.wantClosed(reasonNetwork)
	eventually(t, "the answers are given back", func() bool { return s.held.Load() == 0 })
	if _, _, done := s.seen.snapshot(); !slices.Contains(done, 0) {
		t.Fatalf("done: %v", done)
	}
}
