package storage

import (
	"errors"
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
)

// A directory that fails is lost once: its lock goes, the controller hears, and nothing new is put there. The node ends with
// the metadata log's.
func TestLose(t *testing.T) {
	r := newRig(t, disk.NewMem(), "d/a", "d/b", "d/c")
	b := r.s.Volumes[1]
	for range 2 {
		r.s.Lose(b, disk.ErrIO)
	}
	if len(r.lost) != 1 || r.lost[0] != b.ID() || b.Held() || !errors.Is(b.Offline(), disk.ErrIO) {
		t.Errorf("lost %v, locked %v, offline for %v", r.lost, b.Held(), b.Offline())
	}
	if r.failed != nil || len(r.s.Serving()) != 2 || len(r.s.Online()) != 2 {
		t.Errorf("the others serve: %v, %v", r.s.Online(), r.failed)
	}
	for range 4 {
		if v, err := r.s.Home(kafka.TopicPartition{Topic: "x"}, kafka.TopicID{1}, kafka.DirectoryUnassigned); err != nil || v == b {
			t.Errorf("placed in %s: %v", v.Path, err)
		} else {
			v.Count(1)
		}
	}
	r.s.Blame(r.s.Metadata, errors.New("no IO error"))
	if r.failed == nil || r.s.Metadata.Offline() != nil {
		t.Errorf("the node fails with %v, and the directory serves: %v", r.failed, r.s.Metadata.Offline())
	}
	r.s.Lose(r.s.Metadata, disk.ErrIO)
	if r.failed == nil || !strings.Contains(r.failed.Error(), "the metadata log dir d/a has failed") {
		t.Errorf("the node fails with %v", r.failed)
	}
}

// Without any directory for partitions the node ends, too.
func TestLoseAll(t *testing.T) {
	r := newRig(t, disk.NewMem(), "d/a", "d/b")
	r.s.Metadata = &Volume{} // as with metadata.log.dir apart
	r.s.Lose(r.s.Volumes[0], disk.ErrIO)
	if r.failed != nil {
		t.Fatalf("with one left: %v", r.failed)
	}
	r.s.Lose(r.s.Volumes[1], disk.ErrIO)
	if r.failed == nil || !strings.Contains(r.failed.Error(), "all log dirs in d/a, d/b have failed") {
		t.Errorf("the node fails with %v", r.failed)
	}
}
