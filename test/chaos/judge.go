package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/history/groups"
	"github.com/milena-io/milena/internal/history/records"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/test/chaos/load"
)

// judge has the checkers look at a round; final says that the history ends with reads of everything.
func (r *report) judge(n int, h history.History, final bool) {
	rec := records.Check(h.Ops, records.Options{Final: final})
	grp := groups.Check(h.Groups, groups.Options{})
	r.Sent += rec.Values
	r.Read += rec.Reads
	r.Commits += grp.Commits
	r.Fetches += grp.Fetches
	for _, f := range history.BadOf(slices.Concat(rec.Findings, grp.Findings), history.Workload{Idempotent: true}) {
		r.found("round %d: %v", n, f)
	}
	for _, c := range slices.Concat(rec.Counts, grp.Counts) {
		r.Counts[c.Name] += c.N
	}
	for _, text := range wentBack(h.Groups) {
		r.found("round %d: %s", n, text)
	}
	fmt.Printf("round %d: %d records sent, %d read, %d commits, %d fetches of offsets; readers were behind by %v (p99), %v at most\n", n, rec.Values, rec.Reads,
		grp.Commits, grp.Fetches, rec.Lag.P99.Round(time.Millisecond), rec.Lag.Max.Round(time.Millisecond))
}

// guests takes over what guests did in a round, and tells it.
func (r *report) guests(all []*load.Guest) {
	for _, g := range all {
		c := r.client(g.Name)
		fmt.Printf("  %s: %d records acknowledged, %d read, %d commits taken, %d refused or unknown\n", g.Name, g.Acked.Load(), g.Read.Load(), g.Commits.Load(), g.Refused.Load())
		c.Acked += g.Acked.Swap(0)
		c.Read += g.Read.Swap(0)
		c.Commits += g.Commits.Swap(0)
		c.Refused += g.Refused.Swap(0)
	}
}

// wentBack tells of committed offsets that were lower than what a fetch returned that was over before this one began: each member of these
// groups reads on from what is committed, and commits only what it owns. A commit that nobody knows the outcome of may take effect late,
// behind those after it: its client has closed the connection, and TCP goes on sending what stood in it until the node is reached again.
// While the generation lasts no broker can tell it from a new one.
func wentBack(events []history.GroupOp) (out []string) {
	late := map[uint64]bool{}
	for _, e := range events {
		if e.F == history.GroupCommit && e.Kind == history.Info {
			for _, m := range e.Offsets {
				late[m.ID] = true
			}
		}
	}
	fetches := map[string][]history.GroupOp{} // of each group, in the order in which they began
	for _, e := range events {
		if e.F != history.GroupFetch || e.Kind != history.Ok {
			continue
		}
		for _, m := range e.Offsets {
			if late[m.ID] || m.ID == 0 {
				continue
			}
			if i, before := seenBefore(fetches[e.Group], e.Invoke, m.Key); m.Off < before {
				out = append(out, fmt.Sprintf("committed-offset-went-back: %s %v from %d to %d [events %d %d]", e.Group, m.Key, before, m.Off, i, e.Index))
			}
		}
		fetches[e.Group] = append(fetches[e.Group], e)
	}
	return out
}

// seenBefore returns which of some fetches, all over at a time, was the last to begin that saw an offset of a partition, and that offset; -1
// where none was. Two who look at once may be answered in either order.
func seenBefore(fetches []history.GroupOp, at int64, key history.Key) (int, kafka.Offset) {
	for _, e := range slices.Backward(fetches) {
		if e.Done() > at {
			continue
		}
		for _, m := range e.Offsets {
			if m.Key == key && m.ID != 0 {
				return e.Index, m.Off
			}
		}
	}
	return -1, -1
}
