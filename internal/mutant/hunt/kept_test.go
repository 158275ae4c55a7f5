//go:build mutants

package main

import (
	"testing"

	"github.com/milena-io/milena/internal/mutant"
	"github.com/milena-io/milena/internal/sim"
)

// drifted is how many other seeds a mutant gets whose kept ones find it no more: each change of the program has all seeds run
// otherwise, and most mutants are found by one seed in a few.
const drifted = 24

// TestKept: every mutant that was ever found is found by its kept seeds still, or else by one of the first few seeds there are;
// and the same seeds say nothing of the program as it is.
func TestKept(t *testing.T) {
	defer func() { _ = mutant.Switch(mutant.None) }()
	all := 0
	for _, s := range mutant.List() {
		e, ok, err := corpus("../../sim/testdata/mutants").read(s.Mutant)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			continue
		}
		all++
		found := false
		for i := range e.Kept {
			k := &e.Kept[i]
			r, err := simulate(s.Mutant, k.Seed, k.options())
			if err != nil {
				t.Fatal(err)
			}
			found = found || r.Failed()
			if r, _ = simulate(mutant.None, k.Seed, k.options()); r.Failed() {
				t.Errorf("seed %d, kept for %s, accuses the program as it is: %v", k.Seed, s.Mutant, oneLine(r.Findings))
			}
			if found {
				break
			}
		}
		if found {
			continue
		}
		t.Logf("%s is not found by its %d seeds any more, other ones are tried", s.Mutant, len(e.Kept))
		for seed := uint64(1); seed <= drifted && !found; seed++ {
			r, err := simulate(s.Mutant, seed, sim.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if found = r.Failed(); found {
				r, _ = simulate(mutant.None, seed, sim.Options{})
				found = !r.Failed()
			}
		}
		if !found {
			t.Errorf("%s is not found any more: make mutants REFRESH=1 ONLY=%s", s.Mutant, s.Mutant)
		}
	}
	if all < 20 {
		t.Errorf("seeds of %d mutants are kept", all)
	}
}
