package upkeep

import (
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
)

// A chore comes again an interval after it was done, and not after a stop; one that is set up too late never comes.
func TestChoresEndWithTheStop(t *testing.T) {
	r := newRig(t, disk.NewMem())
	u := New(r.o)
	done := 0
	u.repeat("count", time.Second, func() error { done++; return nil })
	r.w.Run(3500 * time.Millisecond)
	if done != 3 {
		t.Errorf("done %d times in three seconds", done)
	}
	u.Stop()
	u.repeat("late", time.Second, func() error { done++; return nil })
	r.w.Run(time.Minute)
	if done != 3 {
		t.Errorf("done %d times after the stop", done-3)
	}
}

// Too many open files put a chore off, a full disk ends no node, and any other failure does.
func TestWhatAChoreFailsWith(t *testing.T) {
	r := newRig(t, disk.NewMem())
	u := New(r.o)
	var err error
	done := 0
	u.repeat("failing", time.Second, func() error { done++; return err })
	const putOff = "A chore is put off until files can be opened again."
	for i, c := range []struct {
		err   error
		said  int
		fails bool
	}{
		{syscall.EMFILE, 1, false},
		{syscall.EMFILE, 1, false}, // once for as long as it lasts
		{nil, 1, false},
		{syscall.EMFILE, 2, false},
		{&fault.Error{Op: "test", Kind: fault.Full}, 2, false},
		{fault.Shutdown("test"), 2, false},
		{errors.New("a bug"), 2, true},
	} {
		err = c.err
		r.w.Run(time.Second)
		if done != i+1 {
			t.Fatalf("%v: done %d times", c.err, done)
		}
		r.wantSaid(c.said, putOff)
		if (r.failed != nil) != c.fails {
			t.Errorf("%v: the node fails with %v", c.err, r.failed)
		}
	}
	r.w.Run(time.Minute)
	if done != 7 {
		t.Errorf("done %d times by a node that has failed", done)
	}
}
