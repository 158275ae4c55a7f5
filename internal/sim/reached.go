package sim

import (
	"fmt"
	"strings"

	"github.com/milena-io/milena/internal/history/faults"
)

// Reached counts what a run, or many, came across.
type Reached struct {
	Runs   int
	Faults [faults.Kinds]int
	Starts int // of processes
	Stops  int // clean
	Kills  int // with power cuts
	GaveUp int // because a disk failed
	Acked  int // records
	Read   int

	Elections  int // of leaders of partitions
	Shrinks    int // of in-sync replicas
	Expansions int
	Cuts       int // logs truncated to where the leader's goes on otherwise
	Terms      int // of controllers
	Snapshots  int // of the metadata log
}

// String tells what there was.
func (r *Reached) String() string {
	var out []string
	add := func(n int, what string) {
		if n > 0 {
			out = append(out, fmt.Sprintf("%d %s", n, what))
		}
	}
	add(r.Acked, "records acknowledged")
	add(r.Read, "read")
	add(r.Elections, "elections")
	add(r.Shrinks, "shrinks")
	add(r.Expansions, "expansions")
	add(r.Cuts, "truncations")
	add(r.Terms, "controllers")
	add(r.Snapshots, "snapshots")
	add(r.Starts, "starts")
	add(r.Stops, "stops")
	add(r.Kills, "kills")
	add(r.GaveUp, "gave up")
	for k, n := range r.Faults {
		add(n, faults.Kind(k).String())
	}
	return strings.Join(out, ", ")
}

// Add adds what another came across.
func (r *Reached) Add(o *Reached) {
	r.Runs += o.Runs
	for k, n := range o.Faults {
		r.Faults[k] += n
	}
	r.Elections += o.Elections
	r.Shrinks += o.Shrinks
	r.Expansions += o.Expansions
	r.Cuts += o.Cuts
	r.Terms += o.Terms
	r.Snapshots += o.Snapshots
	r.Starts += o.Starts
	r.Stops += o.Stops
	r.Kills += o.Kills
	r.GaveUp += o.GaveUp
	r.Acked += o.Acked
	r.Read += o.Read
}

// logged counts what nodes tell of themselves.
func (r *Reached) logged(message string) {
	switch message {
	case "metadata leader is active":
		r.Terms++
	case "Truncated to where the leader's log goes on otherwise.":
		r.Cuts++
	case "Created snapshot":
		r.Snapshots++
	}
}
