// Package replicas holds replication to its invariants, R1 to R13 of reliability.md, over snapshots of a partition's
// replicas, its registration at the controller and what happened between.
//
// The simulator feeds one Watch per partition with a State at each moment that it wants judged, and after a run the process
// nemesis feeds what it finds on disks. A Watch owns the memory of what is for all time: which content an offset has in an
// epoch, who led in which epoch, what is committed. It is pure: it never asks a replica anything.
//
// Invariants: a Watch only learns from what it is shown, so a right cluster shown at any subset of its moments raises no
// finding; what may be wrong for a moment by design (a leader that doesn't know yet that it is none) is judged by the epoch it
// acts in.
package replicas

import (
	"slices"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/kafka"
)

// Watch is one partition over time.
type Watch struct {
	tally     *history.Tally
	before    *State
	logs      map[kafka.NodeID]*mirror
	contents  map[content]Batch                // R3: for all time
	leaders   map[kafka.LeaderEpoch]leadership // R3, R4
	committed []commitment                     // by offset
	acked     []kept
	highs     map[kafka.LeaderEpoch]kafka.Offset // R5
	visible   kafka.Offset
	told      int // of the tally, by earlier calls
}

// content is an offset in an epoch.
type content struct {
	base  kafka.Offset
	epoch kafka.LeaderEpoch
}

// leadership is who led an epoch.
type leadership struct {
	node        kafka.NodeID
	incarnation kafka.IncarnationID
	state       int
}

// commitment is a batch below a leader's high watermark, and the epoch in which it first was.
type commitment struct {
	Batch
	in    kafka.LeaderEpoch
	state int
}

// kept is an acknowledged range and who acknowledged it.
type kept struct {
	Ack
	state int
}

// mirror is what the Watch knows of a replica's log.
type mirror struct {
	start   kafka.Offset
	batches []Batch
	checked kafka.Offset // below it the log was compared with what is committed
	proved  int          // so many of what is committed it holds
}

// NewWatch tells at most limit findings of each invariant; 0 means eight.
func NewWatch(limit int) *Watch {
	return &Watch{
		tally: history.NewTally(limit), logs: map[kafka.NodeID]*mirror{}, contents: map[content]Batch{},
		leaders: map[kafka.LeaderEpoch]leadership{}, highs: map[kafka.LeaderEpoch]kafka.Offset{},
	}
}

// Check takes the next state and returns what is new and wrong with it. The operations of a finding are the indexes of states.
func (w *Watch) Check(s State) []history.Finding {
	w.registration(&s)
	w.truncations(&s)
	w.starts(&s)
	w.learn(&s)
	w.epochs(&s)
	w.leads(&s)
	w.watermarks(&s)
	w.reassigned(&s)
	w.commit(&s)
	w.prefixes(&s)
	w.acks(&s)
	w.members(&s)
	w.expansions(&s)
	w.answers(&s)
	w.before = &s
	told := w.tally.Told()
	out := told[w.told:]
	w.told = len(told)
	return out
}

// Forget drops what was seen of a node's replica: it was taken away and given back since, and is another one now.
func (w *Watch) Forget(n kafka.NodeID) {
	if w.before != nil {
		w.before.Replicas = slices.DeleteFunc(slices.Clone(w.before.Replicas), func(r Replica) bool { return r.Node == n })
	}
	delete(w.logs, n)
}

// Counts returns how often each invariant was found broken.
func (w *Watch) Counts() []history.Count { return w.tally.Counts() }

func (w *Watch) add(name string, states []int, format string, args ...any) {
	w.tally.Add(name, history.Always, states, format, args...)
}
