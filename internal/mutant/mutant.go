// Package mutant is the bugs that are seeded on purpose: each is one mistake of Kafka's history, of another system's or of our
// own drafts, at the one line where the rule lives that forbids it. Whether the simulator finds them is what its seeds are
// worth (reliability.md 4.3): a checker that never accused anybody proves nothing.
//
// It owns their list. The rooms of the product ask On, the simulator and its search switch them on; nobody else does. A build
// without the tag "mutants" has none of them: On is false there before the program is linked (TestANormalBinaryHasNone).
//
// Invariants: at most one is on; each of the list is asked for in exactly one place of the product (internal/house holds it).
package mutant

import "slices"

// Mutant is the name of one.
type Mutant string

// None is the program as it is.
const None Mutant = ""

// Seeded is what there is to know of a mutant.
type Seeded struct {
	Mutant Mutant
	Does   string   // what the program does that it must not do
	From   string   // where it happened, or which rule forbids it
	Killed []string // by which checkers of the simulator it is expected to be found: words that the finding begins with
	Test   string   // that calls it a bug without the simulator: its room and its name
}

// Find looks one up.
func Find(m Mutant) (Seeded, bool) {
	all := List()
	i := slices.IndexFunc(all, func(s Seeded) bool { return s.Mutant == m })
	if i < 0 {
		return Seeded{}, false
	}
	return all[i], true
}
