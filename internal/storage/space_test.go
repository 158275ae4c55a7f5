package storage

import (
	"errors"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
)

// A start on a full directory hears of that before it has any replica; retention looks at them once there are some, and what
// waits to be removed goes at once.
func TestAFullDirectoryBeforeThereAreReplicas(t *testing.T) {
	r := newRig(t, disk.NewMem(), "data")
	removed, looked := false, 0
	r.s.Volumes[0].Later(time.Hour.Milliseconds(), func() { removed = true })
	r.w.Run(time.Minute)
	if removed {
		t.Fatal("removed before its time")
	}
	r.s.Space.changed(disk.Room{Dir: "data", Full: true})
	if !removed {
		t.Error("what waits to be removed still takes room")
	}
	r.s.Space.Begin(func(*Volume) error { looked++; return nil })
	r.s.Space.changed(disk.Room{Dir: "data", Full: true})
	if looked != 1 {
		t.Errorf("retention has looked %d times", looked)
	}
	r.s.Space.Begin(func(*Volume) error { return errors.New("no room is no excuse") })
	r.s.Space.changed(disk.Room{Dir: "data", Full: true})
	if r.failed == nil {
		t.Error("what retention failed with is nobody's")
	}
}

// One directory is full, and the disk of the other hangs when retention looks at it, or as something is removed there. Retention looks at the
// full one all the same.
func TestAFullDirectoryDoesNotWaitForOneThatHangs(t *testing.T) {
	for _, hangs := range []string{"retention", "a removal"} {
		r := newRig(t, disk.NewMem(), "d/a", "d/b")
		a, b, looked, waited := r.s.Volumes[0], r.s.Volumes[1], false, false
		hang := func() { waited = !r.w.RunUntil(time.Minute, func() bool { return looked }) }
		if hangs == "a removal" {
			a.Later(time.Hour.Milliseconds(), hang)
		}
		r.s.Space.Begin(func(v *Volume) error {
			if looked = looked || v == b; v == a && hangs == "retention" {
				hang()
			}
			return nil
		})
		r.s.Space.changed(disk.Room{Dir: b.Path, Full: true})
		r.w.Run(time.Second)
		if !looked || waited {
			t.Errorf("%s hangs: retention has looked at the full directory: %v, but waited for the other: %v", hangs, looked, waited)
		}
	}
}

// Nothing is removed from a directory that has failed, nor by a node that is over.
func TestRemovalsEndWithTheirDirectory(t *testing.T) {
	r := newRig(t, disk.NewMem(), "d/a", "d/b")
	var removed []string
	for _, v := range r.s.Volumes {
		v.Later(1000, func() { removed = append(removed, v.Path) })
	}
	r.s.Lose(r.s.Volumes[1], disk.ErrIO)
	r.w.Run(time.Minute)
	if len(removed) != 1 || removed[0] != "d/a" {
		t.Errorf("removed in %v", removed)
	}
	r.s.Volumes[0].Later(1000, func() { removed = append(removed, "too late") })
	r.Fail(errors.New("over"))
	r.w.Run(time.Minute)
	if len(removed) != 1 {
		t.Errorf("removed in %v", removed)
	}
}
