package disk

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/must"
)

func TestPowerCutKeepsWhatWasSynced(t *testing.T) {
	m := NewMem()
	must.OK(m.MkdirAll("d"))
	must.OK(m.SyncDir("/"))
	f := must.Get(m.Open("d/f", Write|Create))
	must.Get(f.WriteAt([]byte("synced"), 0))
	must.OK(f.Sync())
	must.OK(m.SyncDir("d"))
	must.Get(f.WriteAt([]byte("LOST, and longer"), 2))
	must.OK(f.Truncate(1))
	put(t, m, "d/new", "x")
	must.OK(m.Rename("d/f", "d/g"))
	if got := get(t, m, "d/g"); got != "s" {
		t.Errorf("before the cut: %q", got)
	}
	for range 2 {
		cut := m.PowerCut()
		if got := names(t, cut, "d"); !slices.Equal(got, []string{"f"}) {
			t.Errorf("names %v", got)
		}
		if got := get(t, cut, "d/f"); got != "synced" {
			t.Errorf("bytes %q", got)
		}
		put(t, cut, "d/f", "another life changes nothing in this one")
	}
	if got := get(t, m.Killed(), "d/g"); got != "s" {
		t.Errorf("after kill -9: %q", got)
	}
	must.OK(f.Sync())
	must.OK(m.SyncDir("d"))
	if got := names(t, m.PowerCut(), "d"); !slices.Equal(got, []string{"g", "new"}) {
		t.Errorf("names %v", got)
	}
	if got := get(t, m.PowerCut(), "d/new"); got != "" {
		t.Errorf("a name was synced, its bytes were not: %q", got)
	}
}

// Killed leaves what was unsynced unsynced, and no lock.
func TestKilledKeepsThePageCache(t *testing.T) {
	m := NewMem()
	must.Get(m.Lock(".lock"))
	put(t, m, "f", "x")
	k := m.Killed()
	if got := get(t, k, "f"); got != "x" {
		t.Errorf("%q", got)
	}
	must.Get(k.Lock(".lock"))
	if _, err := k.PowerCut().Stat("f"); !errors.Is(err, ErrNotExist) {
		t.Errorf("became durable: %v", err)
	}
}

// Every image of a crash: what was synced is there, what was never written is not, names are a prefix of their changes;
// and among many images all the kinds appear that a device can leave.
func TestCrashImagesAreLegal(t *testing.T) {
	m := NewMem()
	must.OK(m.MkdirAll("d"))
	must.OK(m.SyncDir("/"))
	f := must.Get(m.Open("d/f", Write|Create))
	synced := strings.Repeat("s", 3000)
	must.Get(f.WriteAt([]byte(synced), 0))
	must.OK(f.Sync())
	must.OK(m.SyncDir("d"))
	must.Get(f.WriteAt(bytes.Repeat([]byte("a"), 2000), 3000))
	must.Get(f.WriteAt(bytes.Repeat([]byte("b"), 1500), 5000))
	put(t, m, "d/x", "x")
	put(t, m, "d/y", "y")
	must.OK(m.Rename("d/x", "d/z"))
	seen := map[string]int{}
	for seed := range uint64(3000) {
		image := m.Crash(rand.New(rand.NewPCG(seed, 1)))
		same := m.Crash(rand.New(rand.NewPCG(seed, 1)))
		data := get(t, image, "d/f")
		if data != get(t, same, "d/f") {
			t.Fatal("one seed gave two images")
		}
		if !strings.HasPrefix(data, synced) || len(data) > 6500 {
			t.Fatalf("seed %d: %d bytes", seed, len(data))
		}
		for i, c := range []byte(data[3000:]) {
			if want := byte('a'); c != 0 && c != want && i < 2000 || c != 0 && c != 'b' && i >= 2000 {
				t.Fatalf("seed %d: byte %d is %q", seed, 3000+i, c)
			}
		}
		a, b := strings.Count(data, "a"), strings.Count(data, "b")
		kind := "torn"
		switch {
		case a == 0 && b == 0 && len(data) == 3000:
			kind = "nothing"
		case a == 2000 && b == 1500:
			kind = "everything"
		case a == 0 && b > 0:
			kind = "the second without the first"
		case a < 2000 && len(data) > 3000+a:
			kind = "sectors missing"
		}
		seen[kind]++
		seen[strings.Join(names(t, image, "d"), " ")]++
	}
	for _, kind := range []string{"torn", "nothing", "everything", "the second without the first", "sectors missing", "f", "f x", "f x y", "f y z"} {
		if seen[kind] < 10 {
			t.Errorf("%q appeared %d times in 3000: %v", kind, seen[kind], seen)
		}
	}
	if len(seen) != 9 {
		t.Errorf("images %v", seen)
	}
}

// A file is its synced self plus some of what came since, whatever the order of writes and truncations was.
func TestUndoBringsTheSyncedFileBack(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 2))
		m := NewMem()
		f := must.Get(m.Open("f", Write|Create))
		must.OK(m.SyncDir("/"))
		var want string
		for range 60 {
			switch r.IntN(5) {
			case 0:
				must.OK(f.Truncate(r.Int64N(40_000)))
			case 1:
				must.OK(f.Sync())
				want = get(t, m, "f")
			default:
				must.Get(f.WriteAt(bytes.Repeat([]byte{byte(1 + r.IntN(250))}, r.IntN(20_000)), r.Int64N(30_000)))
			}
			if got := get(t, m.PowerCut(), "f"); got != want {
				t.Fatalf("seed %d: %d bytes after a power cut, want %d", seed, len(got), len(want))
			}
		}
	}
}
