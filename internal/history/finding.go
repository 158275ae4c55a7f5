package history

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Verdict says when a finding is a fault of the cluster.
type Verdict uint8

// The verdicts.
const (
	Always     Verdict = iota // never right
	Idempotent                // a fault when producers are idempotent and send in order
	Committed                 // a fault when readers read at read_committed
	Report                    // Kafka allows it; it is counted
)

// String returns the verdict in words.
func (v Verdict) String() string {
	return [...]string{"always bad", "bad with idempotence", "bad at read_committed", "report only"}[v&3]
}

// Workload is what the clients of a history were set to.
type Workload struct {
	Idempotent bool // enable.idempotence, one producer per process that sends in order
	Committed  bool // isolation.level=read_committed
}

// Finding is one anomaly with the operations that prove it.
type Finding struct {
	Name    string
	Verdict Verdict
	Text    string
	Ops     []int // indexes of operations, or of events, in the order of the story
}

// Bad reports whether the finding is a fault under a workload.
func (f Finding) Bad(w Workload) bool {
	switch f.Verdict {
	case Always:
		return true
	case Idempotent:
		return w.Idempotent
	case Committed:
		return w.Committed
	default:
		return false
	}
}

// String returns name, verdict, story and proof on one line.
func (f Finding) String() string {
	s := f.Name + " (" + f.Verdict.String() + "): " + f.Text
	if len(f.Ops) > 0 {
		s += fmt.Sprintf(" [ops %s]", strings.Trim(fmt.Sprint(f.Ops), "[]"))
	}
	return s
}

// Count is how often a name was found.
type Count struct {
	Name string
	N    int
}

// Tally gathers findings: every one is counted, the first of each name are told.
type Tally struct {
	limit  int
	told   []Finding
	counts map[string]int
}

// NewTally tells at most limit findings of each name; 0 means eight.
func NewTally(limit int) *Tally {
	if limit <= 0 {
		limit = 8
	}
	return &Tally{limit: limit, counts: map[string]int{}}
}

// Add counts a finding, and tells it while there is room.
func (t *Tally) Add(name string, v Verdict, ops []int, format string, args ...any) {
	t.counts[name]++
	if t.counts[name] <= t.limit {
		t.told = append(t.told, Finding{Name: name, Verdict: v, Text: fmt.Sprintf(format, args...), Ops: ops})
	}
}

// Findings returns what is told, the gravest verdicts first.
func (t *Tally) Findings() []Finding {
	out := slices.Clone(t.told)
	slices.SortStableFunc(out, func(a, b Finding) int { return cmp.Compare(a.Verdict, b.Verdict) })
	return out
}

// Counts returns how often each name was found, by name.
func (t *Tally) Counts() []Count {
	var out []Count
	for name, n := range t.counts {
		out = append(out, Count{name, n})
	}
	slices.SortFunc(out, func(a, b Count) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// BadOf returns the findings that are faults under a workload.
func BadOf(findings []Finding, w Workload) []Finding {
	var out []Finding
	for _, f := range findings {
		if f.Bad(w) {
			out = append(out, f)
		}
	}
	return out
}

// Told returns what is told in the order in which it was found.
func (t *Tally) Told() []Finding { return t.told }
