package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/history/faults"
	"github.com/milena-io/milena/internal/mutant"
	"github.com/milena-io/milena/internal/sim"
)

// walk is what one process does: it runs seeds with one mutant switched on until enough of them have found it.
type walk struct {
	mutant  mutant.Mutant
	from, n uint64
	want    int // seeds to keep
	shrinks int // runs that shrinking one of them may take
	run     func(mutant.Mutant, uint64, sim.Options) (sim.Report, error)
}

// told is a line of a walk's output.
type told struct {
	Seed  uint64
	Dirty string `json:",omitempty"` // what is wrong with this seed without any mutant: it proves nothing
	Kept  *kept  `json:",omitempty"` // it found the mutant
}

// kept is a seed that finds a mutant, as small as it could be made.
type kept struct {
	Seed    uint64
	Faults  time.Duration  // with faults; 0 for the simulator's own
	Events  []faults.Event // nil for those that the seed draws
	Variety faults.Variety
	Finding string // the first
	Name    string // its name
}

// options are those of the run.
func (k *kept) options() sim.Options {
	return sim.Options{Faults: k.Faults, Events: k.Events, Variety: &k.Variety}
}

// simulate runs a seed with a mutant.
func simulate(m mutant.Mutant, seed uint64, o sim.Options) (sim.Report, error) {
	if err := mutant.Switch(m); err != nil {
		return sim.Report{}, err
	}
	return sim.Run(seed, o), nil
}

// walk tells of each seed when it is done.
func (w *walk) walk(out io.Writer) error {
	say := json.NewEncoder(out)
	for seed := w.from; seed < w.from+w.n && w.want > 0; seed++ {
		t, err := w.seed(seed)
		if err == nil {
			err = say.Encode(t)
		}
		if err != nil {
			return err
		}
		if t.Kept != nil {
			w.want--
		}
	}
	return nil
}

// seed runs one seed. A seed that fails without the mutant, too, has found something else.
func (w *walk) seed(seed uint64) (told, error) {
	t := told{Seed: seed}
	r, err := w.run(w.mutant, seed, sim.Options{})
	if err != nil || !r.Failed() {
		return t, err
	}
	clean, err := w.run(mutant.None, seed, sim.Options{})
	if err != nil {
		return t, err
	}
	if clean.Failed() {
		t.Dirty = oneLine(clean.Findings)
		return t, nil
	}
	t.Kept, err = w.shrink(&r)
	return t, err
}

// shrink makes the run that found a mutant smaller, as long as the same checker says so and nobody accuses the program without
// the mutant.
func (w *walk) shrink(r *sim.Report) (*kept, error) {
	k := &kept{Seed: r.Seed, Variety: r.Swarm.Variety, Finding: oneLine(r.Findings), Name: r.Findings[0].Name}
	var failed error
	accuses := func(m mutant.Mutant, o sim.Options) bool {
		if failed != nil {
			return false
		}
		small, err := w.run(m, r.Seed, o)
		if failed = err; err != nil || !small.Failed() {
			return false
		}
		return m == mutant.None || small.Findings[0].Name == k.Name
	}
	smaller := kept{Seed: k.Seed, Variety: k.Variety, Events: faults.Shrink(r.Events, func(e []faults.Event) bool {
		return accuses(w.mutant, sim.Options{Events: some(e)})
	}, w.shrinks)}
	smaller.Events = some(smaller.Events)
	if end := faults.Cut(smaller.Events) + time.Second; accuses(w.mutant, sim.Options{Faults: end, Events: smaller.Events}) {
		smaller.Faults = end
	}
	if accuses(w.mutant, smaller.options()) && !accuses(mutant.None, smaller.options()) {
		k.Faults, k.Events = smaller.Faults, smaller.Events
	}
	return k, failed
}

// some is a list that isn't nil: without any event is not the same as with those that the seed draws.
func some(e []faults.Event) []faults.Event {
	if e == nil {
		return []faults.Event{}
	}
	return e
}

// oneLine tells the first finding, and how many there are.
func oneLine(all []history.Finding) string {
	f := all[0]
	const most = 300
	text := []rune(fmt.Sprint(f))
	for i, c := range text {
		if c == '\n' || i == most {
			text = append(text[:i:i], '…')
			break
		}
	}
	if len(all) == 1 {
		return string(text)
	}
	return fmt.Sprintf("%s, and %d more", string(text), len(all)-1)
}
