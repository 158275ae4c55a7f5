// Package records judges what clients saw of partitions: the anomalies of Jepsen's kafka workload under their names there,
// and K1 to K8 as far as a history of clients shows them (reliability.md 2.1).
//
// The simulator and the process nemesis call Check on a finished history. It owns the order of each partition's log as the
// clients know it, the checkers, and the search for cycles. It never knows how a cluster works inside: what is judged is
// what any client of Kafka may rely on.
//
// Invariants: the same history gives the same report; each checker takes time linear in the history but for sorting; a
// finding names the operations that prove it. Readers start at the beginning of a partition, or after a seek that the
// history tells of; a client whose operation was not Ok goes back to the position it had before; all readers of a history
// read at one isolation.
package records

import (
	"time"

	"github.com/milena-io/milena/internal/history"
)

// Options say what the history is of.
type Options struct {
	Final    bool          // the history ends with final polls from the beginning of every key: what they didn't see is unseen
	Healed   int64         // when the faults ended; 0 when they never did
	LagLimit time.Duration // readers lag no further once this time has passed since Healed; 0 is not checked
	Limit    int           // findings told of each name; 0 for eight
}

// Lag is how far behind readers were at the time they polled.
type Lag struct {
	Samples       int
	P50, P99, Max time.Duration
}

// Result is what the checkers found.
type Result struct {
	Findings []history.Finding // the first of each name
	Counts   []history.Count   // all
	Lag      Lag
	Values   int // sent
	Reads    int // pairs polled
}

// Check runs every checker over a history.
func Check(ops []history.Op, o Options) Result {
	x := newIndex(ops, o)
	x.offsets()
	x.loss()
	x.aborted()
	x.partial()
	x.polls()
	x.sendOrder()
	x.contents()
	x.bounds()
	x.lookups()
	x.breaks()
	x.repeats()
	lag := x.lag()
	x.cycles()
	return Result{Findings: x.tally.Findings(), Counts: x.tally.Counts(), Lag: lag, Values: len(x.sent), Reads: len(x.reads)}
}
