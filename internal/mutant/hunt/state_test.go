package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/mutant"
)

// A hunt goes to whom it has looked for least, and goes on where it was.
func TestAHuntGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "hunt.json")
	s, err := load(path, 100)
	if err != nil {
		t.Fatal(err)
	}
	among := []mutant.Mutant{mutant.EarlyExpansion, mutant.IgnoredMember}
	if m, n := s.next(among, 20, 1); m != mutant.EarlyExpansion || n != 8 {
		t.Fatalf("first %s with %d seeds", m, n)
	}
	for seed := range uint64(8) {
		s.take(mutant.EarlyExpansion, "abc", told{Seed: 100 + seed})
	}
	s.take(mutant.IgnoredMember, "abc", told{Seed: 100, Dirty: "something else"})
	s.take(mutant.IgnoredMember, "abc", told{Seed: 101, Kept: &kept{Seed: 101, Name: "lost-write"}})
	if err := s.save(); err != nil {
		t.Fatal(err)
	}
	if s, err = load(path, 777); err != nil || s.Base != 100 {
		t.Fatalf("base %d: %v", s.Base, err)
	}
	if h := s.of(mutant.IgnoredMember); h.First != 2 || h.Tried != 2 || len(h.Dirty) != 1 || h.Commit != "abc" {
		t.Errorf("%+v", h)
	}
	if m, n := s.next(among, 20, 1); m != mutant.EarlyExpansion || n != 8 {
		t.Errorf("next %s with %d seeds", m, n)
	}
	if m, n := s.next(among, 12, 1); m != mutant.EarlyExpansion || n != 4 {
		t.Errorf("up to the limit: %s with %d seeds", m, n)
	}
	if m, _ := s.next(among, 8, 1); m != mutant.None {
		t.Errorf("%s is hunted although it has had its seeds", m)
	}
	if m, n := s.next(among, 20, 2); m != mutant.IgnoredMember || n != 8 {
		t.Errorf("with another seed to be kept: %s with %d seeds", m, n)
	}
}

// What is kept can be read again, and the page tells it.
func TestWhatIsTold(t *testing.T) {
	dir := t.TempDir()
	s := &state{Hunts: map[mutant.Mutant]*hunted{
		mutant.IgnoredMember:  {Tried: 2, First: 2, Kept: []kept{{Seed: 7, Name: "lost-write"}}},
		mutant.EarlyExpansion: {Tried: 40},
	}}
	c := corpus(dir)
	if _, ok, err := c.read(mutant.IgnoredMember); ok || err != nil {
		t.Fatalf("something is kept before anything was: %v", err)
	}
	if err := c.write(entry{Mutant: mutant.IgnoredMember, Seeds: 2, Kept: s.of(mutant.IgnoredMember).Kept}); err != nil {
		t.Fatal(err)
	}
	if e, ok, err := c.read(mutant.IgnoredMember); !ok || err != nil || e.Kept[0].Seed != 7 {
		t.Fatalf("%+v: %v", e, err)
	}
	text := score(s, "abc", "2026-11-22")
	if !strings.HasPrefix(text, "1 of ") || !strings.Contains(text, "at most 40 fresh seeds") || !strings.Contains(text, "commit abc") || !strings.Contains(text, "not found: early-expansion (40 seeds)\n") {
		t.Error(text)
	}
	page := filepath.Join(dir, "page.md")
	if err := publish(page, "x"); err == nil {
		t.Error("a page that isn't there was written")
	}
	if err := os.WriteFile(page, []byte("before\n"+tableBegins+"old\n"+tableEnds+"after\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := publish(page, table(s)); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"before\n", "after\n", "| `ignored-member` |", "| 2 | lost-write |", "| more than 40 | not found |", "| not tried |"} {
		if !strings.Contains(string(got), want) {
			t.Errorf("the page lacks %q:\n%s", want, got)
		}
	}
	if strings.Contains(string(got), "old\n") {
		t.Error("the old table stands beside the new one")
	}
}
