package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/milena-io/milena/internal/mutant"
)

// score tells in text what a hunt has come to. The first line is what `make sim` ends with.
func score(s *state, commit, day string) string {
	var b strings.Builder
	found, total, most := 0, len(mutant.List()), uint64(0)
	var missing []string
	for _, m := range mutant.List() {
		h := s.of(m.Mutant)
		most = max(most, h.Tried)
		if h.First > 0 {
			found++
		} else {
			missing = append(missing, fmt.Sprintf("%s (%d seeds)", m.Mutant, h.Tried))
		}
	}
	fmt.Fprintf(&b, "%d of %d seeded bugs found (%.0f %%), with at most %d fresh seeds each so far; commit %s, %s\n",
		found, total, 100*float64(found)/float64(total), most, commit, day)
	for _, m := range missing {
		fmt.Fprintf(&b, "not found: %s\n", m)
	}
	return b.String()
}

// Where the table stands in docs/testing.md.
const (
	tableBegins = "<!-- seeded bugs -->\n"
	tableEnds   = "<!-- end of seeded bugs -->\n"
)

// table tells of each mutant what it is, and after how many seeds who found it.
func table(s *state) string {
	var b strings.Builder
	b.WriteString("| mutant | what it does | from | seeds | found as |\n|---|---|---|---|---|\n")
	for _, m := range mutant.List() {
		h, seeds, by := s.of(m.Mutant), "", ""
		switch {
		case h.First > 0:
			seeds, by = fmt.Sprint(h.First), h.Kept[0].Name
		case h.Tried > 0:
			seeds, by = fmt.Sprintf("more than %d", h.Tried), "not found"
		default:
			seeds = "not tried"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", m.Mutant, m.Does, m.From, seeds, by)
	}
	return b.String()
}

// publish puts the table into a page.
func publish(page string, text string) error {
	b, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	head, rest, ok := bytes.Cut(b, []byte(tableBegins))
	_, tail, ended := bytes.Cut(rest, []byte(tableEnds))
	if !ok || !ended {
		return errors.New(page + " has no place for the table of seeded bugs")
	}
	return replace(page, []byte(string(head)+tableBegins+text+tableEnds+string(tail)))
}
