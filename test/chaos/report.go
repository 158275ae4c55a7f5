package main

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/history/groups"
	"github.com/milena-io/milena/internal/history/records"
)

// report is what was done and found.
type report struct {
	gaps     [len(kinds)][]time.Duration
	findings []string
	counts   map[string]int
	sent     int
	read     int
	commits  int
	fetches  int
	rounds   int
}

func newReport() *report { return &report{counts: map[string]int{}} }

func (r *report) fault(f fault, gap time.Duration) { r.gaps[f.kind] = append(r.gaps[f.kind], gap) }

// found tells a finding at once: a run takes long.
func (r *report) found(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.findings = append(r.findings, text)
	fmt.Println("FOUND:", text)
}

// judge has the checkers look at a round; final says that the history ends with reads of everything.
func (r *report) judge(n int, h history.History, final bool) {
	r.rounds++
	rec := records.Check(h.Ops, records.Options{Final: final})
	grp := groups.Check(h.Groups, groups.Options{})
	r.sent += rec.Values
	r.read += rec.Reads
	r.commits += grp.Commits
	r.fetches += grp.Fetches
	for _, f := range history.BadOf(slices.Concat(rec.Findings, grp.Findings), history.Workload{Idempotent: true}) {
		r.found("round %d: %v", n, f)
	}
	for _, c := range slices.Concat(rec.Counts, grp.Counts) {
		r.counts[c.Name] += c.N
	}
	for _, text := range wentBack(h.Groups) {
		r.found("round %d: %s", n, text)
	}
	fmt.Printf("round %d: %d records sent, %d read, %d commits, %d fetches of offsets; readers were behind by %v (p99), %v at most\n", n, rec.Values, rec.Reads,
		grp.Commits, grp.Fetches, rec.Lag.P99.Round(time.Millisecond), rec.Lag.Max.Round(time.Millisecond))
}

// wentBack tells of committed offsets that were lower than before, as one onlooker read them one after the other: each member of these
// groups reads on from what is committed, and commits only what it owns.
func wentBack(events []history.GroupOp) (out []string) {
	last := map[string]history.GroupOp{}
	at := map[string]history.Mark{}
	for _, e := range events {
		if e.F != history.GroupFetch || e.Kind != history.Ok {
			continue
		}
		for _, m := range e.Offsets {
			if m.ID == 0 {
				continue
			}
			key := fmt.Sprint(e.Group, " ", m.Key)
			if before := at[key]; m.Off < before.Off {
				out = append(out, fmt.Sprintf("committed-offset-went-back: %s from %d to %d [events %d %d]", key, before.Off, m.Off, last[key].Index, e.Index))
			}
			last[key], at[key] = e, m
		}
	}
	return out
}

func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "\n%-12s %6s %10s %10s %10s\n", "fault", "times", "gap p50", "p99", "longest")
	for k, gaps := range r.gaps {
		if len(gaps) == 0 {
			continue
		}
		slices.Sort(gaps)
		at := func(share float64) string { return ms(gaps[min(len(gaps)-1, int(share*float64(len(gaps))))]) }
		fmt.Fprintf(w, "%-12s %6d %10s %10s %10s   %s\n", kind(k), len(gaps), at(0.5), at(0.99), ms(gaps[len(gaps)-1]), kinds[k].about)
	}
	fmt.Fprintf(w, "\n%d rounds: %d records sent, %d read, %d commits, %d fetches of committed offsets\n", r.rounds, r.sent, r.read, r.commits, r.fetches)
	var names []string
	for name := range r.counts {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(w, "  %-24s %d\n", name, r.counts[name])
	}
	if len(r.findings) == 0 {
		fmt.Fprintln(w, "nothing was lost, doubled or reordered")
		return
	}
	fmt.Fprintf(w, "%d findings:\n", len(r.findings))
	for _, f := range r.findings {
		fmt.Fprintln(w, " ", f)
	}
}

func ms(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }
