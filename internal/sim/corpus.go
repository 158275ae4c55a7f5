package sim

import (
	"encoding/json"
	"runtime/debug"
	"time"

	"github.com/milena-io/milena/internal/history/faults"
)

// Kept is a run that found something once: kept so that it is never found again.
type Kept struct {
	Seed    uint64
	Commit  string // that it was found in
	Found   string
	Faults  time.Duration
	Events  []faults.Event
	Variety faults.Variety
}

// Keep makes what is kept of a report.
func Keep(r *Report) Kept {
	return Kept{
		Seed: r.Seed, Commit: Commit(), Found: r.Findings[0].String(), Faults: r.Length, Events: append([]faults.Event{}, r.Events...),
		Variety: r.Swarm.Variety,
	}
}

// Run runs it again.
func (k *Kept) Run() Report {
	return Run(k.Seed, Options{Faults: k.Faults, Events: k.Events, Variety: &k.Variety})
}

// ReadKept reads a kept run from its file.
func ReadKept(file []byte) (k Kept, err error) {
	err = json.Unmarshal(file, &k)
	return k, err
}

// File is what is written of it.
func (k *Kept) File() ([]byte, error) {
	b, err := json.MarshalIndent(k, "", "\t")
	return append(b, '\n'), err
}

// Commit is the revision that this program was built from, as far as the build says.
func Commit() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value[:min(12, len(s.Value))]
			}
		}
	}
	return "unknown"
}
