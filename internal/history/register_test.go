package history

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// search is the definition: some order of the accesses in which each comes before those that began after it was done, and each
// read returns what was written last. Writes of unknown outcome may be left out.
func search(left []Access, value uint64) bool {
	if !slices.ContainsFunc(left, func(a Access) bool { return a.Kind == Ok }) {
		return true
	}
	for i, a := range left {
		if slices.ContainsFunc(left, func(b Access) bool { return b.Kind == Ok && b.Complete < a.Invoke }) || !a.Write && a.ID != value {
			continue
		}
		next := value
		if a.Write {
			next = a.ID
		}
		if search(slices.Delete(slices.Clone(left), i, i+1), next) {
			return true
		}
	}
	return false
}

// TestLinearizableIsTheDefinition: on small histories of every shape the fast answer is that of the search.
func TestLinearizableIsTheDefinition(t *testing.T) {
	right, wrong := 0, 0
	for seed := range uint64(60_000) {
		dice := rand.New(rand.NewPCG(seed, 11))
		var all, asked []Access
		writes := 1 + dice.IntN(3)
		times := dice.Perm(40) // no two at one time
		at := func() (int64, int64) {
			a, b := times[0], times[1]
			times = times[2:]
			return int64(min(a, b)), int64(max(a, b))
		}
		for id := range writes {
			a := Access{ID: uint64(id + 1), Write: true, Kind: []Kind{Ok, Ok, Ok, Info, Fail}[dice.IntN(5)], Op: len(all)}
			a.Invoke, a.Complete = at()
			all = append(all, a)
		}
		for range 1 + dice.IntN(4) {
			a := Access{ID: uint64(dice.IntN(writes + 1)), Kind: Ok, Op: len(all)}
			a.Invoke, a.Complete = at()
			all = append(all, a)
		}
		for _, a := range all {
			if a.Kind == Fail {
				continue
			}
			if a.Kind == Info {
				a.Complete = Never
			}
			asked = append(asked, a)
		}
		want := search(asked, 0)
		proof, ok := Linearizable(all)
		if ok != want || !ok && len(proof) == 0 {
			t.Fatalf("seed %d: %v, %v, and the search says %v: %+v", seed, ok, proof, want, all)
		}
		if want {
			right++
		} else {
			wrong++
		}
	}
	if right < 5000 || wrong < 5000 {
		t.Errorf("%d are right and %d wrong", right, wrong)
	}
}
