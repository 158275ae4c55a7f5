package sim

import (
	"encoding/json"
	"os"
	"runtime/debug"
	"time"

	"github.com/milena-io/milena/internal/history/faults"
)

// Kept is a run that found something once: kept so that it is never found again.
type Kept struct {
	Seed   uint64
	Commit string // that it was found in
	Found  string
	Faults time.Duration
	Events []faults.Event
}

// Keep makes what is kept of a report.
func Keep(r *Report) Kept {
	return Kept{Seed: r.Seed, Commit: Commit(), Found: r.Findings[0].String(), Faults: r.Length, Events: append([]faults.Event{}, r.Events...)}
}

// Run runs it again.
func (k *Kept) Run() Report { return Run(k.Seed, Options{Faults: k.Faults, Events: k.Events}) }

// Load reads a kept run.
func Load(path string) (k Kept, err error) {
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &k)
	}
	return k, err
}

// Save writes it.
func (k *Kept) Save(path string) error {
	b, err := json.MarshalIndent(k, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
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
