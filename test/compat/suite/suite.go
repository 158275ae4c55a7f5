// Package suite is how the compatibility suites are written and counted: a suite is a list of named cases against one
// broker; a case passes, fails with an error, or is skipped with a reason.
//
// The suites build on it and `run` prints its reports. It knows no client and no broker's name. Invariants: a case that
// panics has failed, the cases after a failed one still run, and in CI a skip counts as a failure, because a suite that
// quietly stopped running looks exactly like one that is green.
package suite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"
)

// Suite is one named list of cases.
type Suite struct {
	Name string
	// About is one sentence for the list of suites.
	About string
	// Run runs the cases. An error is a failure outside of any case, such as a broker that does not start.
	Run func(ctx context.Context, s *Session) error
	// Asked keeps it out of a run that names no suite.
	Asked bool
}

// skipped is the error of a case that could not run.
type skipped struct{ reason string }

func (s skipped) Error() string { return s.reason }

// Skip ends a case that cannot run here; reason is printed.
func Skip(format string, args ...any) error { return skipped{fmt.Sprintf(format, args...)} }

// Result is what became of one case.
type Result struct {
	Name    string
	Err     error
	Skipped bool
	Took    time.Duration
}

// Session is one run of one suite.
type Session struct {
	System string // "kafka" or "milena"
	Dir    string // an empty folder of this suite, removed after a green run
	Log    io.Writer

	results []Result
}

// Case runs one case and reports whether it passed.
func (s *Session) Case(name string, run func() error) bool {
	begin := time.Now()
	err := guarded(run)
	var skip skipped
	r := Result{Name: name, Err: err, Skipped: errors.As(err, &skip), Took: time.Since(begin)}
	s.results = append(s.results, r)
	switch {
	case r.Skipped:
		fmt.Fprintf(s.Log, "  skip  %s: %v\n", name, err)
	case err != nil:
		fmt.Fprintf(s.Log, "  FAIL  %s (%.1f s)\n        %v\n", name, r.Took.Seconds(), err)
	default:
		fmt.Fprintf(s.Log, "  ok    %s (%.1f s)\n", name, r.Took.Seconds())
	}
	return err == nil
}

func guarded(run func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return run()
}

// Tally counts results.
type Tally struct{ Passed, Failed, Skipped int }

// Add sums two tallies.
func (t Tally) Add(o Tally) Tally {
	return Tally{t.Passed + o.Passed, t.Failed + o.Failed, t.Skipped + o.Skipped}
}

func (t Tally) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", t.Passed, t.Failed, t.Skipped)
}

// Execute runs one suite and counts. An error of Run itself counts as one failed case.
func Execute(ctx context.Context, one Suite, s *Session) Tally {
	if err := guarded(func() error { return one.Run(ctx, s) }); err != nil {
		s.Case("the suite as a whole", func() error { return err })
	}
	var t Tally
	for _, r := range s.results {
		switch {
		case r.Skipped:
			t.Skipped++
		case r.Err != nil:
			t.Failed++
		default:
			t.Passed++
		}
	}
	if t.Passed+t.Failed+t.Skipped == 0 {
		t.Failed++
		fmt.Fprintf(s.Log, "  FAIL  no case ran\n")
	}
	return t
}
