package cow_test

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/milena-io/milena/internal/image/cow"
)

// check compares a version with a plain map.
func check(t *testing.T, m cow.Map[int, int], want map[int]int) {
	t.Helper()
	if m.Len() != len(want) {
		t.Fatalf("%d entries, want %d", m.Len(), len(want))
	}
	keys := slices.Sorted(maps.Keys(want))
	i := 0
	for k, v := range m.All() {
		if i >= len(keys) || k != keys[i] || v != want[k] {
			t.Fatalf("entry %d is %d=%d", i, k, v)
		}
		i++
	}
	if i != len(keys) {
		t.Fatalf("walked %d of %d", i, len(keys))
	}
	for _, k := range keys {
		if v, ok := m.Get(k); !ok || v != want[k] {
			t.Fatalf("Get(%d) = %d, %v", k, v, ok)
		}
	}
}

// TestVersionsStayAsTheyWere makes many versions by random edits and checks all of them at the end, each pair of
// neighbours and some far apart by their Changes as well.
func TestVersionsStayAsTheyWere(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		span := []int{5, 100, 3000}[seed%3]
		m, want := cow.New[int, int](cmp.Compare[int]), map[int]int{}
		versions, wants := []cow.Map[int, int]{m}, []map[int]int{{}}
		for round := range 40 {
			e := m.Edit()
			for range 1 + rng.IntN(200) {
				k := rng.IntN(span)
				if rng.IntN(100) < 50+30*(round%3-1) {
					_, had := want[k]
					if e.Delete(k) != had {
						t.Fatalf("seed %d: Delete(%d) disagrees", seed, k)
					}
					delete(want, k)
				} else {
					v := rng.IntN(1000)
					e.Put(k, v)
					want[k] = v
				}
			}
			m = e.Seal()
			versions, wants = append(versions, m), append(wants, maps.Clone(want))
		}
		for i := range versions {
			check(t, versions[i], wants[i])
			if i > 0 {
				checkChanges(t, versions[i-1], versions[i], wants[i-1], wants[i])
			}
			j := rng.IntN(len(versions))
			checkChanges(t, versions[j], versions[i], wants[j], wants[i])
		}
	}
}

func checkChanges(t *testing.T, a, b cow.Map[int, int], was, is map[int]int) {
	t.Helper()
	got := map[int]bool{}
	last := -1
	for c := range cow.Changes(a, b) {
		if c.Key <= last {
			t.Fatalf("change of %d after %d", c.Key, last)
		}
		last = c.Key
		got[c.Key] = true
		old, hadOld := was[c.Key]
		now, hasNow := is[c.Key]
		if (c.Old != nil) != hadOld || (c.New != nil) != hasNow || hadOld && *c.Old != old || hasNow && *c.New != now {
			t.Fatalf("change of %d is wrong", c.Key)
		}
	}
	for k := range 3000 {
		old, hadOld := was[k]
		now, hasNow := is[k]
		if (hadOld != hasNow || old != now) && !got[k] {
			t.Fatalf("change of %d is missing", k)
		}
	}
}

func TestChangesCostWhatChanged(t *testing.T) {
	e := cow.New[int, int](cmp.Compare[int]).Edit()
	for i := range 100_000 {
		e.Put(i, i)
	}
	a := e.Seal()
	e = a.Edit()
	e.Put(50_000, -1)
	e.Delete(70_000)
	b := e.Seal()
	// Only entries of leaves that were copied are ever looked at; each change yields at most one leaf's worth.
	n := 0
	for c := range cow.Changes(a, b) {
		if c.Old != nil && c.New != nil && *c.Old == *c.New {
			continue
		}
		n++
	}
	seen := 0
	for range cow.Changes(a, b) {
		seen++
	}
	if n != 2 || seen > 200 {
		t.Fatalf("%d changes, %d entries seen", n, seen)
	}
}

func TestFrom(t *testing.T) {
	e := cow.New[int, int](cmp.Compare[int]).Edit()
	for i := 0; i < 1000; i += 2 {
		e.Put(i, i)
	}
	m := e.Seal()
	for _, from := range []int{-5, 0, 1, 2, 63, 64, 65, 500, 997, 998, 999, 2000} {
		want := max(0, from+from%2)
		if from == -5 {
			want = 0
		}
		for k := range m.From(from) {
			if k != want {
				t.Fatalf("From(%d): %d, want %d", from, k, want)
			}
			want += 2
		}
		if want < 1000 {
			t.Fatalf("From(%d) ended before %d", from, want)
		}
	}
}
