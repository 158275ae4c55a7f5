package disk

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/milena-io/milena/internal/must"
)

// conformance runs a test on every file system, below a directory of its own.
func conformance(t *testing.T, f func(t *testing.T, fsys FS, dir string)) {
	t.Run("OS", func(t *testing.T) { f(t, NewOS(), filepath.ToSlash(t.TempDir())) })
	t.Run("Mem", func(t *testing.T) {
		m := NewMem()
		must.OK(m.MkdirAll("base"))
		f(t, m, "base")
	})
	t.Run("wrapped", func(t *testing.T) {
		m := NewMem()
		must.OK(m.MkdirAll("base"))
		f(t, NewRecording(NewFaulty(m)), "base")
	})
}

func put(t *testing.T, fsys FS, path, text string) {
	t.Helper()
	f, err := fsys.Open(path, Write|Create|Trunc)
	if err != nil {
		t.Fatal(err)
	}
	must.Get(f.WriteAt([]byte(text), 0))
	must.OK(f.Close())
}

func get(t *testing.T, fsys FS, path string) string {
	t.Helper()
	f, err := fsys.Open(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { must.OK(f.Close()) }()
	data := make([]byte, must.Get(f.Size()))
	if _, err := f.ReadAt(data, 0); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return string(data)
}

func names(t *testing.T, fsys FS, dir string) (out []string) {
	t.Helper()
	for _, e := range must.Get(fsys.List(dir)) {
		out = append(out, e.Name)
	}
	return out
}

func TestOpenFlags(t *testing.T) {
	conformance(t, func(t *testing.T, fsys FS, dir string) {
		p := dir + "/f"
		for _, flags := range []Flag{0, Write, Write | Trunc} {
			if _, err := fsys.Open(p, flags); !errors.Is(err, ErrNotExist) {
				t.Errorf("flags %d on a missing file: %v", flags, err)
			}
		}
		if _, err := fsys.Open(dir+"/no/f", Write|Create); !errors.Is(err, ErrNotExist) {
			t.Errorf("in a missing directory: %v", err)
		}
		put(t, fsys, p, "hello")
		if _, err := fsys.Open(p, Write|Create|Exclusive); !errors.Is(err, ErrExist) {
			t.Errorf("exclusive: %v", err)
		}
		must.OK(must.Get(fsys.Open(p, Write|Create)).Close())
		if got := get(t, fsys, p); got != "hello" {
			t.Errorf("opened again: %q", got)
		}
		r := must.Get(fsys.Open(p, 0))
		if _, err := r.WriteAt([]byte("x"), 0); err == nil {
			t.Error("wrote to a file that is open for reading")
		}
		if r.Name() == "" {
			t.Error("a file without a name")
		}
		must.OK(r.Close())
		if _, err := r.ReadAt(make([]byte, 1), 0); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("read of a closed file: %v", err)
		}
		if err := r.Close(); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("closed twice: %v", err)
		}
		must.OK(must.Get(fsys.Open(p, Write|Trunc)).Close())
		if got := get(t, fsys, p); got != "" {
			t.Errorf("truncated at open: %q", got)
		}
		if _, err := fsys.Open(dir, Write); err == nil {
			t.Error("a directory opened for writing")
		}
	})
}

func TestReadAtWriteAtTruncate(t *testing.T) {
	conformance(t, func(t *testing.T, fsys FS, dir string) {
		f := must.Get(fsys.Open(dir+"/f", Write|Create))
		var want []byte
		write := func(text string, off int64) {
			t.Helper()
			if n, err := f.WriteAt([]byte(text), off); n != len(text) || err != nil {
				t.Fatalf("wrote %d, %v", n, err)
			}
			for int64(len(want)) < off+int64(len(text)) {
				want = append(want, 0)
			}
			copy(want[off:], text)
		}
		truncate := func(size int64) {
			t.Helper()
			must.OK(f.Truncate(size))
			for int64(len(want)) < size {
				want = append(want, 0)
			}
			want = want[:size]
		}
		check := func() {
			t.Helper()
			if size, err := f.Size(); size != int64(len(want)) || err != nil {
				t.Fatalf("size %d, %v, want %d", size, err, len(want))
			}
			got := make([]byte, len(want)+7)
			n, err := f.ReadAt(got, 0)
			if n != len(want) || !errors.Is(err, io.EOF) || !bytes.Equal(got[:n], want) {
				t.Fatalf("read %d bytes, %v, want %d", n, err, len(want))
			}
		}
		write("hello", 0)
		check()
		write("LL", 2)
		write("far", 70_000) // over a hole
		check()
		truncate(70_001)
		truncate(3)
		check()
		truncate(40_000) // zeros, not what was there
		check()
		write(string(bytes.Repeat([]byte("x"), 50_000)), 10)
		truncate(17_000)
		write("end", 17_000)
		check()
		if n, err := f.ReadAt(make([]byte, 3), 17_003); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("read at the end: %d, %v", n, err)
		}
		if n, err := f.ReadAt(make([]byte, 3), 1<<40); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("read far behind the end: %d, %v", n, err)
		}
		if n, err := f.ReadAt(make([]byte, 3), 17_000); n != 3 || err != nil && !errors.Is(err, io.EOF) {
			t.Errorf("read up to the end: %d, %v", n, err)
		}
		if _, err := f.ReadAt(make([]byte, 3), -1); err == nil {
			t.Error("read before the beginning")
		}
		if _, err := f.WriteAt([]byte("x"), -1); err == nil {
			t.Error("wrote before the beginning")
		}
		must.OK(f.Sync())
		must.OK(f.Close())
		if got := get(t, fsys, dir+"/f"); got != string(want) {
			t.Error("other bytes after closing")
		}
	})
}

func TestRename(t *testing.T) {
	conformance(t, func(t *testing.T, fsys FS, dir string) {
		must.OK(fsys.MkdirAll(dir + "/a/b"))
		must.OK(fsys.MkdirAll(dir + "/c"))
		put(t, fsys, dir+"/a/f", "one")
		put(t, fsys, dir+"/a/g", "two")
		must.OK(fsys.Rename(dir+"/a/f", dir+"/a/g"))
		if got := get(t, fsys, dir+"/a/g"); got != "one" {
			t.Errorf("replaced: %q", got)
		}
		held := must.Get(fsys.Open(dir+"/a/g", 0))
		must.OK(fsys.Rename(dir+"/a/g", dir+"/c/h"))
		must.OK(fsys.Rename(dir+"/a", dir+"/moved"))
		if _, err := held.ReadAt(make([]byte, 3), 0); err != nil {
			t.Errorf("a file that was open while it was renamed: %v", err)
		}
		must.OK(held.Close())
		if got := names(t, fsys, dir); !slices.Equal(got, []string{"c", "moved"}) {
			t.Errorf("names %v", got)
		}
		if got := names(t, fsys, dir+"/moved"); !slices.Equal(got, []string{"b"}) {
			t.Errorf("names %v", got)
		}
		must.OK(fsys.Rename(dir+"/c/h", dir+"/c/h"))
		for _, c := range [][2]string{{"/no", "/x"}, {"/c/h", "/moved"}, {"/c", "/c/h"}, {"/moved/b", "/c"}, {"/c/h", "/no/x"}} {
			if err := fsys.Rename(dir+c[0], dir+c[1]); err == nil {
				t.Errorf("renamed %s to %s", c[0], c[1])
			}
		}
		if err := fsys.Rename(dir+"/no", dir+"/x"); !errors.Is(err, ErrNotExist) {
			t.Errorf("rename of nothing: %v", err)
		}
		if got := get(t, fsys, dir+"/c/h"); got != "one" {
			t.Errorf("after refused renames: %q", got)
		}
	})
}

func TestRemove(t *testing.T) {
	conformance(t, func(t *testing.T, fsys FS, dir string) {
		must.OK(fsys.MkdirAll(dir + "/a/b"))
		put(t, fsys, dir+"/a/f", "one")
		held := must.Get(fsys.Open(dir+"/a/f", Write))
		if err := fsys.Remove(dir + "/a"); err == nil {
			t.Error("removed a directory that is not empty")
		}
		must.OK(fsys.Remove(dir + "/a/f"))
		must.OK(fsys.Remove(dir + "/a/b"))
		if err := fsys.Remove(dir + "/a/f"); !errors.Is(err, ErrNotExist) {
			t.Errorf("removed twice: %v", err)
		}
		if _, err := held.WriteAt([]byte("two"), 0); err != nil {
			t.Errorf("write to a removed file that is held: %v", err)
		}
		must.OK(held.Sync())
		must.OK(held.Close())
		must.OK(fsys.MkdirAll(dir + "/t/u/v"))
		put(t, fsys, dir+"/t/u/f", "x")
		must.OK(fsys.RemoveAll(dir + "/t"))
		must.OK(fsys.RemoveAll(dir + "/t"))
		must.OK(fsys.RemoveAll(dir + "/no/t"))
		if got := names(t, fsys, dir); !slices.Equal(got, []string{"a"}) {
			t.Errorf("names %v", got)
		}
	})
}

func TestListStatMkdir(t *testing.T) {
	conformance(t, func(t *testing.T, fsys FS, dir string) {
		must.OK(fsys.MkdirAll(dir + "/b/c"))
		must.OK(fsys.MkdirAll(dir + "/b"))
		put(t, fsys, dir+"/z", "12345")
		put(t, fsys, dir+"/a", "")
		want := []Entry{{Name: "a"}, {Name: "b", Dir: true}, {Name: "z", Size: 5}}
		if got := must.Get(fsys.List(dir)); !slices.Equal(got, want) {
			t.Errorf("list %v", got)
		}
		for _, e := range want {
			if got, err := fsys.Stat(dir + "/" + e.Name); got != e || err != nil {
				t.Errorf("stat %v, %v", got, err)
			}
		}
		if _, err := fsys.Stat(dir + "/no"); !errors.Is(err, ErrNotExist) {
			t.Errorf("stat of nothing: %v", err)
		}
		if _, err := fsys.List(dir + "/no"); !errors.Is(err, ErrNotExist) {
			t.Errorf("list of nothing: %v", err)
		}
		if err := fsys.SyncDir(dir + "/no"); !errors.Is(err, ErrNotExist) {
			t.Errorf("sync of no directory: %v", err)
		}
		if err := fsys.MkdirAll(dir + "/z/d"); err == nil {
			t.Error("made a directory in a file")
		}
		must.OK(fsys.SyncDir(dir))
		must.OK(Dir(fsys, dir).Sync())
		total, usable, err := fsys.Usage(dir)
		if total <= 0 || usable <= 0 || usable > total || err != nil {
			t.Errorf("usage %d of %d, %v", usable, total, err)
		}
	})
}

func TestLock(t *testing.T) {
	conformance(t, func(t *testing.T, fsys FS, dir string) {
		l := must.Get(fsys.Lock(dir + "/.lock"))
		if _, err := fsys.Lock(dir + "/.lock"); !errors.Is(err, ErrLocked) {
			t.Errorf("locked twice: %v", err)
		}
		if _, err := fsys.Lock(dir + "/.lock"); !errors.Is(err, ErrLocked) {
			t.Errorf("a refused attempt broke the lock: %v", err)
		}
		other := must.Get(fsys.Lock(dir + "/.other"))
		must.OK(l.Close())
		must.OK(must.Get(fsys.Lock(dir + "/.lock")).Close())
		must.OK(other.Close())
	})
}

func TestConcurrentUseOfAFile(t *testing.T) {
	conformance(t, func(t *testing.T, fsys FS, dir string) {
		f := must.Get(fsys.Open(dir+"/f", Write|Create))
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				block := bytes.Repeat([]byte{byte('a' + g)}, 100)
				for i := range 50 {
					must.Get(f.WriteAt(block, int64(100*(4*i+g))))
					_, _ = f.ReadAt(make([]byte, 100), int64(i))
					must.Get(f.Size())
					if i%10 == 0 {
						must.OK(f.Sync())
					}
				}
			})
		}
		wg.Wait()
		must.OK(f.Close())
		for i, c := range []byte(get(t, fsys, dir+"/f")) {
			if want := byte('a' + i/100%4); c != want {
				t.Fatalf("byte %d is %c, want %c", i, c, want)
			}
		}
	})
}
