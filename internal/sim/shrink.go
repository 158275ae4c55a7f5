package sim

import (
	"slices"
	"time"

	"github.com/milena-io/milena/internal/history/faults"
)

// Shrink runs a seed that failed again and again with fewer, shorter faults, and returns the run with the fewest under which the
// same is found. tries bounds how many runs that takes.
func Shrink(failed *Report, o Options, tries int) Report {
	if o.Faults == 0 {
		o.Faults = defaultFaults
	}
	best := *failed
	name := failed.Findings[0].Name
	run := func(events []faults.Event, length time.Duration) bool {
		again := Run(failed.Seed, Options{Faults: length, Events: events, Variety: o.Variety})
		if !again.Failed() || again.Findings[0].Name != name {
			return false
		}
		best = again
		return true
	}
	events := faults.Shrink(failed.Events, func(e []faults.Event) bool {
		if e == nil {
			e = []faults.Event{}
		}
		return run(e, o.Faults)
	}, tries)
	for length := o.Faults / 2; length > faults.Cut(events) && length > 100*time.Millisecond; length /= 2 {
		if !run(slices.Clip(events), length) {
			break
		}
	}
	return best
}
