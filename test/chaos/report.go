package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/milena-io/milena/test/chaos/load"
)

// report is what was done and found so far. It is written down after each round: a run that was broken off goes on from there.
type report struct {
	Plan     string                     `json:"plan"` // what the faults follow from
	Rounds   int                        `json:"rounds"`
	Seconds  float64                    `json:"seconds"`
	Faults   map[string][]time.Duration `json:"faults"` // how long a partition was not writable, of each fault, by kind
	Counts   map[string]int             `json:"counts"`
	Clients  map[string]*client         `json:"clients"`
	Sent     int                        `json:"sent"`
	Read     int                        `json:"read"`
	Commits  int                        `json:"commits"`
	Fetches  int                        `json:"fetches"`
	Findings []string                   `json:"findings"`
}

// client is what a guest saw.
type client struct {
	Gaps    []time.Duration `json:"gaps"` // of each fault
	Acked   int64           `json:"acked"`
	Read    int64           `json:"read"`
	Commits int64           `json:"commits"`
	Refused int64           `json:"refused"`
}

func newReport(plan string) *report {
	return &report{Plan: plan, Faults: map[string][]time.Duration{}, Counts: map[string]int{}, Clients: map[string]*client{}}
}

// reportFile is in the working folder.
const reportFile = "report.json"

// openReport goes on with the report of a working folder, which is of the same plan, or begins one.
func openReport(dir, plan string) (*report, error) {
	r := newReport(plan)
	text, err := os.ReadFile(filepath.Join(dir, reportFile))
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(text, r)
	}
	if err == nil && r.Plan != plan {
		err = fmt.Errorf("%s is of another run: %s, not %s; give the same flags to go on with it, or another -dir", filepath.Join(dir, reportFile), r.Plan, plan)
	}
	return r, err
}

// write writes it down, for machines and as it is printed.
func (r *report) write(dir string) error {
	data, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	part := filepath.Join(dir, reportFile+".part")
	if err := os.WriteFile(part, data, 0o644); err != nil {
		return err
	}
	text, err := os.Create(filepath.Join(dir, "report.txt"))
	if err != nil {
		return err
	}
	r.print(text)
	return errors.Join(text.Close(), os.Rename(part, filepath.Join(dir, reportFile)))
}

// fault notes how long each fault had somebody wait.
func (r *report) fault(f fault, gap time.Duration, guests []*load.Guest) {
	r.Faults[f.kind.String()] = append(r.Faults[f.kind.String()], gap)
	for _, g := range guests {
		_, gap := g.Worst()
		c := r.client(g.Name)
		c.Gaps = append(c.Gaps, gap)
	}
}

func (r *report) client(name string) *client {
	if r.Clients[name] == nil {
		r.Clients[name] = &client{}
	}
	return r.Clients[name]
}

// found tells a finding at once: a run takes long.
func (r *report) found(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.Findings = append(r.Findings, text)
	fmt.Println("FOUND:", text)
}

func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "\n%-12s %6s %10s %10s %10s\n", "fault", "times", "gap p50", "p99", "longest")
	for k := range kinds {
		if gaps := r.Faults[kind(k).String()]; len(gaps) > 0 {
			fmt.Fprintf(w, "%-12s %6d %s   %s\n", kind(k), len(gaps), quantiles(gaps), kinds[k].about)
		}
	}
	fmt.Fprintf(w, "\n%d rounds in %.0f minutes: %d records sent, %d read, %d commits, %d fetches of committed offsets\n",
		r.Rounds, r.Seconds/60, r.Sent, r.Read, r.Commits, r.Fetches)
	for _, name := range slices.Sorted(maps.Keys(r.Clients)) {
		c := r.Clients[name]
		fmt.Fprintf(w, "%-12s %6d %s   longest silence at each fault; %d records acknowledged, %d read, %d commits taken, %d refused or unknown\n",
			name, len(c.Gaps), quantiles(c.Gaps), c.Acked, c.Read, c.Commits, c.Refused)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Counts)) {
		fmt.Fprintf(w, "  %-24s %d\n", name, r.Counts[name])
	}
	if len(r.Findings) == 0 {
		fmt.Fprintln(w, "nothing was lost, doubled or reordered")
		return
	}
	fmt.Fprintf(w, "%d findings:\n", len(r.Findings))
	for _, f := range r.Findings {
		fmt.Fprintln(w, " ", f)
	}
}

// quantiles are the median, the 99th percentile and the longest of some gaps.
func quantiles(gaps []time.Duration) string {
	if len(gaps) == 0 {
		return ""
	}
	in := slices.SortedFunc(slices.Values(gaps), cmp.Compare[time.Duration])
	at := func(share float64) string {
		return fmt.Sprintf("%d ms", in[min(len(in)-1, int(share*float64(len(in))))].Milliseconds())
	}
	return fmt.Sprintf("%10s %10s %10s", at(0.5), at(0.99), at(1))
}
