//go:build mutants

package mutant

import "testing"

// One is on at a time, and only what there is.
func TestSwitch(t *testing.T) {
	defer func(was Mutant) { *chosen = string(was) }(Switched())
	for _, s := range List() {
		if err := Switch(s.Mutant); err != nil {
			t.Fatal(err)
		}
		for _, other := range List() {
			if On(other.Mutant) != (other.Mutant == s.Mutant) {
				t.Errorf("with %s on, %s is %v", s.Mutant, other.Mutant, On(other.Mutant))
			}
		}
	}
	if err := Switch("no-such-mutant"); err == nil {
		t.Error("a mutant that doesn't exist was switched on")
	}
	if err := Switch(None); err != nil || On(IgnoredMember) {
		t.Errorf("none is to be on: %v", err)
	}
}
