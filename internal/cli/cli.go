// Package cli is the command line of milena: every command, its flags, what it prints and how it exits.
//
// cmd/milena calls Main and nothing else. Commands speak to brokers through franz-go like any client, and to data
// directories through inspect; the server is started through a seam, so that this package needs no node to be tested.
//
// Invariants (docs of the command line, ux 2.8 to 2.11): standard output carries data only; progress, hints and errors
// go to standard error; a closed pipe ends a command quietly; the exit code is 0 only when everything asked for was
// done. JSON fields are only ever added.
package cli

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/milena-io/milena/internal/disk"
)

// Process is the process that a command runs in.
type Process struct {
	Args []string // without the program's name
	Env  []string // KEY=value
	In   io.Reader
	Out  io.Writer
	Err  io.Writer

	InTerminal  bool
	OutTerminal bool
	ErrTerminal bool
	Width       int // columns of the terminal behind Err, 0 when unknown
}

// Seams are what the commands use and other packages provide.
type Seams struct {
	Start StartFunc // runs a server; nil where this program has none
	Dev   DevFunc   // runs a cluster to play with; nil where this program has none
	FS    disk.FS   // where log commands read; nil is the operating system's
}

// app is one run of the program.
type app struct {
	Process
	seams Seams
	flags globals
	out   *output

	mu   sync.Mutex
	dial *dialError // the last connection that could not be made
}

// Main runs one command and returns the exit code.
func Main(ctx context.Context, p Process, s Seams) int {
	if s.FS == nil {
		s.FS = disk.NewOS()
	}
	a := &app{Process: p, seams: s, out: newOutput(p.Out)}
	root := a.root()
	root.SetArgs(p.Args)
	err := root.ExecuteContext(ctx)
	if ferr := a.out.flush(); err == nil || errors.Is(ferr, errPipe) {
		err = ferr
	}
	return a.report(ctx, err)
}
