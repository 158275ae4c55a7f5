package disk

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Recording is a file system that writes down every call: for tests of what is read at start, and of the order of
// writes, syncs and renames.
type Recording struct {
	hooked
	mu    sync.Mutex
	calls []Call
}

// NewRecording wraps a file system.
func NewRecording(inner FS) *Recording {
	r := &Recording{}
	r.hooked = hooked{inner, func(c Call) (int, error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.calls = append(r.calls, c)
		return 0, nil
	}}
	return r
}

// Calls returns what was called since the last Reset, of the given kinds, or of all.
func (r *Recording) Calls(ops ...Op) []Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.calls), func(c Call) bool { return len(ops) > 0 && !slices.Contains(ops, c.Op) })
}

// Reset forgets what was called.
func (r *Recording) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = nil
}

// BytesRead adds up what reads asked for since the last Reset.
func (r *Recording) BytesRead() (n int64) {
	for _, c := range r.Calls(OpRead) {
		n += int64(c.N)
	}
	return n
}

// String prints a call on one line, for golden files.
func (c Call) String() string {
	s := fmt.Sprintf("%s %s", c.Op, c.Path)
	switch c.Op {
	case OpRename:
		s += " " + c.To
	case OpRead, OpWrite:
		s += fmt.Sprintf(" %d+%d", c.Off, c.N)
	case OpTruncate:
		s += fmt.Sprintf(" %d", c.Off)
	}
	return s
}

// Script prints calls a line each.
func Script(calls []Call) string {
	var b strings.Builder
	for _, c := range calls {
		fmt.Fprintln(&b, c)
	}
	return b.String()
}
