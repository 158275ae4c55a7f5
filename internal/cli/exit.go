package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// Exit codes.
const (
	exitOK          = 0
	exitFailed      = 1   // at least one item failed, or the server could not start
	exitUsage       = 2   // unknown flag, bad value
	exitUnreachable = 3   // the cluster cannot be reached or refuses to talk
	exitFound       = 4   // log verify found a problem
	exitLocked      = 5   // the data directory is in use or belongs to another cluster
	exitInterrupted = 130 // Ctrl-C
	exitPipe        = 141 // the reader of standard output is gone
)

// failure is how a command ends that didn't do what was asked: what failed at which stage, and the next thing to try.
type failure struct {
	exit    int
	code    string // Kafka's name of the error, or one of ours in the same style
	message string
	hint    string
	cause   error
	told    bool // every part has been printed; only the exit code is left
}

// Error returns the sentence.
func (f *failure) Error() string { return f.message }

// Unwrap returns the cause.
func (f *failure) Unwrap() error { return f.cause }

func usage(format string, args ...any) *failure {
	return &failure{exit: exitUsage, code: "USAGE", message: fmt.Sprintf(format, args...)}
}

func failed(code, format string, args ...any) *failure {
	return &failure{exit: exitFailed, code: code, message: fmt.Sprintf(format, args...)}
}

// try adds the next command to a failure.
func (f *failure) try(format string, args ...any) *failure {
	f.hint = fmt.Sprintf(format, args...)
	return f
}

// item prints the failure of one of several items and lets the command go on; partly is its end.
func (a *app) item(err error) { a.print(a.asFailure(err)) }

// partly ends a command of several items of which some failed, whose failures have been printed.
func partly(failures int) error {
	if failures == 0 {
		return nil
	}
	return &failure{exit: exitFailed, told: true, message: fmt.Sprintf("%d failed", failures)}
}

// report prints how a command ended, when that needs words, and returns the exit code.
func (a *app) report(ctx context.Context, err error) int {
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errPipe):
		return exitPipe
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return exitInterrupted
	}
	f := a.asFailure(err)
	if !f.told {
		a.print(f)
	}
	return f.exit
}

func (a *app) asFailure(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	return a.explain(err)
}

func (a *app) print(f *failure) {
	if a.asJSON() {
		type body struct {
			Code    string `json:"code"`
			Message string `json:"message"`
			Hint    string `json:"hint"`
		}
		data, err := json.Marshal(map[string]body{"error": {f.code, f.message, f.hint}})
		if err == nil {
			fmt.Fprintf(a.Err, "%s\n", data)
			return
		}
	}
	fmt.Fprintf(a.Err, "milena: %s\n", f.message)
	if f.hint != "" {
		fmt.Fprintf(a.Err, "        %s\n", f.hint)
	}
}
