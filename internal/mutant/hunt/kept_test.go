//go:build mutants

package main

import (
	"testing"

	"github.com/milena-io/milena/internal/mutant"
)

// TestKept: every mutant that was ever found is found by its kept seeds still, and the same seeds say nothing of the program as
// it is. When a change of the program has all seeds of one run otherwise, hunt for it again.
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
		if !found {
			t.Errorf("%s is not found by any of its %d seeds: make mutants REFRESH=1 ONLY=%s", s.Mutant, len(e.Kept), s.Mutant)
		}
	}
	if all < 20 {
		t.Errorf("seeds of %d mutants are kept", all)
	}
}
