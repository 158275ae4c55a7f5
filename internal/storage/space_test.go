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
	r.s.Space.Begin(func() error { looked++; return nil })
	r.s.Space.changed(disk.Room{Dir: "data", Full: true})
	if looked != 1 {
		t.Errorf("retention has looked %d times", looked)
	}
	r.s.Space.Begin(func() error { return errors.New("no room is no excuse") })
	r.s.Space.changed(disk.Room{Dir: "data", Full: true})
	if r.failed == nil {
		t.Error("what retention failed with is nobody's")
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
