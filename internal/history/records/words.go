package records

import (
	"fmt"
	"time"

	"github.com/milena-io/milena/internal/history"
)

// name tells a value as writer/sequence.
func (x *index) name(value int32) string { return valueName(x.values[value].v) }

func valueName(v uint64) string { return fmt.Sprintf("%d/%d", history.WriterOf(v), history.SeqOf(v)) }

// did tells an operation: its process, function and outcome.
func (x *index) did(op int32) string {
	o := &x.ops[op]
	return fmt.Sprintf("process %d's %v (%v)", o.Process, o.F, o.Kind)
}

// ago tells a length of time in nanoseconds.
func ago(ns int64) time.Duration { return time.Duration(ns).Round(time.Microsecond) }
