package disk

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/must"
)

// tree prints every file of a disk, with its bytes.
func tree(t *testing.T, fsys FS, dir string) string {
	t.Helper()
	var b strings.Builder
	for _, e := range must.Get(fsys.List(dir)) {
		path := strings.Trim(dir+"/"+e.Name, "/")
		if e.Dir {
			fmt.Fprintf(&b, "%s/\n%s", path, tree(t, fsys, path))
		} else {
			fmt.Fprintf(&b, "%s %q\n", path, get(t, fsys, path))
		}
	}
	return b.String()
}

// mess does random things to a disk.
func mess(r *rand.Rand, m *Mem, steps int) {
	must.OK(m.MkdirAll("d"))
	must.OK(m.MkdirAll("e"))
	name := func() string { return fmt.Sprintf("%c/%c", 'd'+r.IntN(2), 'a'+r.IntN(4)) }
	open := map[string]File{}
	for range steps {
		p := name()
		f := open[p]
		if f == nil {
			var err error
			if f, err = m.Open(p, Write|Create); err != nil {
				continue
			}
			open[p] = f
		}
		switch r.IntN(12) {
		case 0:
			_ = m.Remove(p) // a file that is held is written on
		case 1:
			_ = m.Rename(p, name())
		case 2:
			must.OK(m.SyncDir("d"))
		case 3:
			must.OK(m.SyncDir("e"))
		case 4, 5:
			must.OK(f.Sync())
		case 6:
			must.OK(f.Truncate(r.Int64N(60)))
		case 7:
			delete(open, p)
		case 8:
			_ = m.RemoveAll("d/sub")
			must.OK(m.MkdirAll("d/sub/sub"))
		default:
			must.Get(f.WriteAt(bytes.Repeat([]byte{byte('a' + r.IntN(26))}, r.IntN(30)), r.Int64N(40)))
		}
	}
}

// A replay of a journal is the disk, synced where it was and unsynced where it was.
func TestReplayIsTheDisk(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 3))
		m := NewMem()
		mess(r, m, r.IntN(40)) // unsynced things from before the journal
		j := m.Record()
		mess(r, m, 40)
		again := j.Replay()
		again.To(j.Len()/2, nil)
		again.To(j.Len(), nil)
		if got, want := tree(t, again.mem, "/"), tree(t, m, "/"); got != want {
			t.Fatalf("seed %d: the replay is\n%s\nthe disk\n%s", seed, got, want)
		}
		a, b := again.Images(), m.Images()
		n, whole := a.Len()
		if other, w := b.Len(); n != other || w != whole {
			t.Fatalf("seed %d: %d images and %d", seed, n, other)
		}
		for _, i := range []uint64{0, n / 3, n / 2, n - 1, n + 7} {
			x, xkey := a.Image(i)
			y, ykey := b.Image(i)
			if got, want := tree(t, x, "/"), tree(t, y, "/"); got != want || xkey != ykey {
				t.Fatalf("seed %d, image %d: the replay leaves\n%s\nthe disk\n%s", seed, i, got, want)
			}
		}
	}
}

// The first image is what was synced and no more, the last of them all is everything; no image is there twice where they
// are numbered one by one, and one that is written to changes no other.
func TestImagesAreNumbered(t *testing.T) {
	small := 0
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 5))
		m := NewMem()
		mess(r, m, 3+r.IntN(8))
		im := m.Images()
		n, whole := im.Len()
		first, _ := im.Image(0)
		if got, want := tree(t, first, "/"), tree(t, m.PowerCut(), "/"); got != want {
			t.Fatalf("seed %d: image 0 is\n%s\nafter a power cut there is\n%s", seed, got, want)
		}
		last, _ := im.Image(n - 1)
		if got, want := tree(t, last, "/"), tree(t, m, "/"); whole && got != want {
			t.Fatalf("seed %d: the last image is\n%s\nwant\n%s", seed, got, want)
		}
		before := tree(t, m, "/")
		mess(r, last, 30)
		again, _ := im.Image(n - 1)
		if whole && tree(t, again, "/") != before || tree(t, m, "/") != before {
			t.Fatalf("seed %d: what was written to an image is elsewhere, too", seed)
		}
		if !whole || n > 400 {
			continue
		}
		small++
		trees := map[string]uint64{}
		for i := range n {
			image, key := im.Image(i)
			text := tree(t, image, "/")
			if k, twice := trees[text]; twice && k != key {
				continue // two directories may hold the same by different changes
			}
			trees[text] = key
		}
		for text, key := range trees {
			for other, k := range trees {
				if key == k && text != other {
					t.Fatalf("seed %d: two images have one key", seed)
				}
			}
		}
	}
	if small < 20 {
		t.Errorf("only %d of 200 disks had few images", small)
	}
}

// What a crash may leave of a file: every prefix, every set of sectors, sizes that run ahead of the data or behind it, and
// nothing that was never written.
func TestTearsOfAFile(t *testing.T) {
	m := NewMem()
	f := must.Get(m.Open("f", Write|Create))
	must.Get(f.WriteAt([]byte("SYNCED"), 0))
	must.OK(f.Sync())
	must.OK(m.SyncDir("/"))
	must.Get(f.WriteAt([]byte("abc"), 6))
	must.OK(f.Truncate(4))
	must.Get(f.WriteAt([]byte("xy"), 4))
	im := m.Images()
	n, whole := im.Len()
	if !whole {
		t.Fatal("one small file has too many images")
	}
	seen := map[string]bool{}
	for i := range n {
		image, _ := im.Image(i)
		text := get(t, image, "f")
		if seen[text] {
			t.Errorf("%q is there twice", text)
		}
		seen[text] = true
	}
	for _, want := range []string{
		"SYNCED", "SYNCEDa", "SYNCEDab", "SYNCEDabc", // cut at every byte
		"SYNCED\x00\x00\x00", "SYNCEDa\x00\x00", // longer than its data
		"SYNC", "SYNCx", "SYNCxy", "SYNCx\x00", "SYNC\x00\x00", // after the truncation
		"SYNCxyabc", "SYNCxy\x00\x00\x00", // the truncation is lost, the write after it is not
	} {
		if !seen[want] {
			t.Errorf("no image has %q", want)
		}
	}
	for text := range seen {
		for i, c := range []byte(text) {
			if legal := "SYNCEDabc"[min(i, 8)]; c != legal && c != 0 && (i < 4 || i > 5 || c != "xy"[i-4]) {
				t.Errorf("%q was never written", text)
			}
		}
	}
}

// A sync that a replay leaves out is one that the disk did not do.
func TestReplaySkipsASync(t *testing.T) {
	m := NewMem()
	j := m.Record()
	put(t, m, "f", "x")
	f := must.Get(m.Open("f", Write))
	must.OK(f.Sync())
	must.OK(m.SyncDir("/"))
	for _, c := range []struct {
		skip Op
		want string
	}{{"", `f "x"` + "\n"}, {OpSync, `f ""` + "\n"}, {OpSyncDir, ""}} {
		r := j.Replay()
		r.To(j.Len(), func(_ int, e Event) bool { return e.Op == c.skip })
		first, _ := r.Images().Image(0)
		if got := tree(t, first, "/"); got != c.want {
			t.Errorf("without %q: %q", c.skip, got)
		}
	}
	if got, want := j.Script(0, j.Len()), "create f\nwrite f\nsync f\nsyncdir /\n"; got != want {
		t.Errorf("script %q", got)
	}
}

func BenchmarkImage(b *testing.B) {
	m := NewMem()
	must.OK(m.MkdirAll("d"))
	for i := range 20 {
		f := must.Get(m.Open(fmt.Sprintf("d/%d", i), Write|Create))
		must.Get(f.WriteAt(make([]byte, 4000), 0))
		must.OK(f.Sync())
		must.OK(f.Close())
	}
	must.OK(m.SyncDir("d"))
	must.OK(m.SyncDir("/"))
	f := must.Get(m.Open("d/7", Write))
	for range 4 {
		must.Get(f.WriteAt(make([]byte, 100), must.Get(f.Size())))
	}
	im := m.Images()
	n, _ := im.Len()
	b.ReportAllocs()
	for i := uint64(0); b.Loop(); i++ {
		im.Image(i % n)
	}
}
