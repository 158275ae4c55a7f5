// Package groups holds group coordination to its invariants, G1 to G7 of reliability.md, and committed offsets to a register
// (K5), over a history of group events.
//
// The simulator and the process nemesis call Check on a finished history. The package owns the view of who owned which
// partition when, and never knows how a coordinator works. Invariants: only what an answer proves is held against a
// coordinator; an event whose outcome is unknown may have happened or not, at any time after it began.
//
// Each commit carries an ID of its own in its metadata, so that a fetch tells which commit it returned.
package groups

import (
	"time"

	"github.com/milena-io/milena/internal/history"
)

// Options say what else is known.
type Options struct {
	// Witness says that the history tells of members that a coordinator removed; without it nobody knows when a member that is
	// silent has lost its partitions, and handing them over isn't judged.
	Witness   bool
	Stable    int64                    // since when nobody joined or left on purpose, and no fault was left
	Converge  time.Duration            // how long after that every partition has an owner; 0 is not checked
	Keys      map[string][]history.Key // what each group reads, for the same
	Retention time.Duration            // offsets.retention.minutes; 0 is not checked
	Limit     int                      // findings told of each name; 0 for eight
}

// Result is what the checkers found. The operations of a finding are indexes of events.
type Result struct {
	Findings []history.Finding
	Counts   []history.Count
	Commits  int
	Fetches  int
}

// Check runs every checker over a history.
func Check(events []history.GroupOp, o Options) Result {
	t := history.NewTally(o.Limit)
	r := Result{}
	of := map[string]int{}
	var groups []*group
	for i := range events {
		e := &events[i]
		n, ok := of[e.Group]
		if !ok {
			n = len(groups)
			of[e.Group] = n
			groups = append(groups, &group{name: e.Group, tally: t, options: o})
		}
		groups[n].events = append(groups[n].events, e)
		switch e.F {
		case history.GroupCommit:
			r.Commits++
		case history.GroupFetch:
			r.Fetches++
		}
	}
	for _, g := range groups {
		g.check()
	}
	r.Findings, r.Counts = t.Findings(), t.Counts()
	return r
}

// group is the events of one group.
type group struct {
	name    string
	tally   *history.Tally
	options Options
	events  []*history.GroupOp
}

func (g *group) check() {
	g.generations()
	g.zombies()
	g.coordinators()
	g.owners()
	g.expired()
	g.registers()
}

func (g *group) add(name string, events []*history.GroupOp, format string, args ...any) {
	var ops []int
	for _, e := range events {
		ops = append(ops, e.Index)
	}
	g.tally.Add(name, history.Always, ops, "group "+g.name+": "+format, args...)
}

// ok reports whether an event happened and is of one of the functions.
func ok(e *history.GroupOp, functions ...history.GroupFunction) bool {
	if e.Kind != history.Ok {
		return false
	}
	for _, f := range functions {
		if e.F == f {
			return true
		}
	}
	return false
}

// timeline is what the events that pass say, at the time at which each was known.
func (g *group) timeline(of func(e *history.GroupOp) (to int64, pass bool)) *history.Timeline {
	t := new(history.Timeline)
	for i, e := range g.events {
		if to, pass := of(e); pass {
			t.Add(e.Done(), to, int32(i))
		}
	}
	t.Seal()
	return t
}
