//go:build !mutants

package mutant

import "errors"

// Built says whether this binary has the mutants in it.
const Built = false

// On reports whether a mutant is switched on. Here none ever is: the call is inlined, and what it guards is removed.
func On(Mutant) bool { return false }

// Switch refuses: this binary has none.
func Switch(m Mutant) error {
	if m == None {
		return nil
	}
	return errors.New("this binary was built without mutants; build it with -tags mutants")
}

// Switched returns None.
func Switched() Mutant { return None }
