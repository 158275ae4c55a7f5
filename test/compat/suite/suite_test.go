package suite

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestExecuteCounts(t *testing.T) {
	var out strings.Builder
	s := &Session{Log: &out}
	got := Execute(context.Background(), Suite{Name: "x", Run: func(_ context.Context, s *Session) error {
		s.Case("good", func() error { return nil })
		s.Case("bad", func() error { return errors.New("broken") })
		s.Case("panics", func() error { panic("oh") })
		s.Case("absent", func() error { return Skip("no %s", "tool") })
		return errors.New("end")
	}}, s)
	if want := (Tally{Passed: 1, Failed: 3, Skipped: 1}); got != want {
		t.Fatalf("%v, want %v\n%s", got, want, out.String())
	}
	if !strings.Contains(out.String(), "absent: no tool") {
		t.Fatalf("the skip has no reason:\n%s", out.String())
	}
}

func TestASuiteWithoutCasesFails(t *testing.T) {
	var out strings.Builder
	got := Execute(context.Background(), Suite{Run: func(context.Context, *Session) error { return nil }}, &Session{Log: &out})
	if got.Failed != 1 {
		t.Fatalf("%v", got)
	}
}
