package sim

import (
	"fmt"
	"strings"

	"github.com/milena-io/milena/internal/history/faults"
)

// Sort is a sort of thing that a run may come across.
type Sort uint8

// The sorts.
const (
	Acked Sort = iota
	Read
	Elections
	Shrinks
	Expansions
	Truncations
	Terms
	Snapshots
	Installed
	Starts
	Stops
	Kills
	GaveUp
	Committed
	Rebalances
	Elected
	Reassigned
	Created
	Deleted
	Apart
	Rolled
	Restored
	Cancelled
	Repaired
	Trimmed
	Fenced
	Refused
	Zombies
	Risen
	AckedAgain
	Tuned
	DirLost
	DirBack
	Unseated
	Seated
	Ambushed
	Remounted
	Bundled
	Returned
	Reborn
	sorts
)

var sortNames = [sorts]string{
	"records acknowledged", "records read", "elections of leaders", "ISR shrinks", "ISR expansions", "truncations", "controllers", "snapshots",
	"snapshots installed", "starts", "clean stops", "kills and power cuts", "nodes that gave up", "offset commits",
	"partitions given to members", "leaders elected on request", "reassignments", "topics made", "topics deleted",
	"clusters with controllers apart", "nodes rolled", "disks restored from a backup", "reassignments called back", "repairs of replaced disks", "deletions of records",
	"fetches of an older epoch refused", "questions to who coordinates no more refused", "commits of an older generation refused",
	"topics made again", "records acknowledged to these", "changes of configs",
	"log directories lost", "processes started anew to have one back", "votes taken", "votes given back", "ambushes",
	"partitions led by a disk that came back", "deltas with more than one change of a partition",
	"replicas taken and given back in one", "topics deleted and made again in one",
}

// Reached counts what a run, or many, came across.
type Reached struct {
	Runs   int
	Of     [sorts]int
	Faults [faults.Kinds]int
}

func (r *Reached) add(s Sort) { r.Of[s]++ }

// Add adds what another came across.
func (r *Reached) Add(o *Reached) {
	r.Runs += o.Runs
	for s, n := range o.Of {
		r.Of[s] += n
	}
	for k, n := range o.Faults {
		r.Faults[k] += n
	}
}

// String tells what there was.
func (r *Reached) String() string {
	var out []string
	for s, n := range r.Of {
		if n > 0 {
			out = append(out, fmt.Sprintf("%d %s", n, sortNames[s]))
		}
	}
	var of []string
	for k, n := range r.Faults {
		if n > 0 {
			of = append(of, fmt.Sprintf("%d %v", n, faults.Kind(k)))
		}
	}
	return strings.Join(out, ", ") + "; faults: " + strings.Join(of, ", ")
}

// enoughRuns is how many runs are to have come across everything: what has never happened in so many, nobody has tested.
const enoughRuns = 500

// Missing lists what should have happened in so many runs and did not: a simulator that doesn't reach it proves nothing of it.
func (r *Reached) Missing() (out []string) {
	if r.Runs < enoughRuns {
		return nil
	}
	for s, n := range r.Of {
		if n == 0 {
			out = append(out, sortNames[s])
		}
	}
	for k, n := range r.Faults {
		if n == 0 {
			out = append(out, faults.Kind(k).String())
		}
	}
	return out
}

// logged counts what nodes tell of themselves, and returns what it was; sorts for nothing that is counted.
func (r *Reached) logged(message string) Sort {
	s := sorts
	switch message {
	case "metadata leader is active":
		s = Terms
	case "Truncated to where the leader's log goes on otherwise.":
		s = Truncations
	case "metadata snapshot of the leader installed":
		s = Installed
	default:
		if !strings.HasPrefix(message, "Stopping serving replicas in dir "+secondDir) {
			return sorts
		}
		s = DirLost
	}
	r.add(s)
	return s
}
