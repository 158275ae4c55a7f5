//go:build mutants

package mutant

import (
	"flag"
	"fmt"
)

// Built says whether this binary has the mutants in it.
const Built = true

// chosen is the one piece of state of this package, and of a binary that is built for nothing else.
var chosen = flag.String("mutant", "", "the mutant that is switched on; see internal/mutant")

// On reports whether a mutant is switched on.
func On(m Mutant) bool { return *chosen == string(m) }

// Switch switches one mutant on and all others off, None all of them. Nothing of the product may be running.
func Switch(m Mutant) error {
	if _, known := Find(m); m != None && !known {
		return fmt.Errorf("there is no mutant %q", m)
	}
	*chosen = string(m)
	return nil
}

// Switched returns the mutant that is on, or None.
func Switched() Mutant { return Mutant(*chosen) }
