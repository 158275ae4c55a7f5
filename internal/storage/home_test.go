package storage

import (
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
)

// A replica that was never anywhere goes where the fewest are; one whose files are found stays with them, whatever the
// metadata says.
func TestHome(t *testing.T) {
	fs := disk.NewMem()
	r := newRig(t, fs, "d/a", "d/b", "d/c")
	want := map[string]string{"x": "d/a", "y": "d/b", "z": "d/c", "again": "d/a"}
	for i, topic := range []string{"x", "y", "z", "again"} {
		v, err := r.place(topic, kafka.TopicID{byte(i + 1)}, kafka.DirectoryUnassigned)
		if err != nil || v.Path != want[topic] {
			t.Errorf("%s is in %s, want %s: %v", topic, v.Path, want[topic], err)
		}
	}
	c := r.s.Volumes[2]
	if v, err := r.place("told", kafka.TopicID{9}, c.ID()); err != nil || v != c {
		t.Errorf("told is in %s: %v", v.Path, err)
	}
	elsewhere := kafka.DirectoryID{0xee}
	v, err := r.place("gone", kafka.TopicID{10}, elsewhere)
	if v != r.s.Nowhere || err == nil || !strings.Contains(err.Error(), elsewhere.String()+" is not among log.dirs") {
		t.Errorf("gone is in %q: %v", v.Path, err)
	}

	r.s.Abandon()
	r = newRig(t, fs, "d/a", "d/b", "d/c")
	if v, err := r.s.Home(kafka.TopicPartition{Topic: "y"}, kafka.TopicID{2}, r.s.Volumes[0].ID()); err != nil || v.Path != "d/b" {
		t.Errorf("the files of y are in d/b, and it is said to be in %s: %v", v.Path, err)
	}
	if v, err := r.s.Home(kafka.TopicPartition{Topic: "y"}, kafka.TopicID{0x99}, r.s.Volumes[0].ID()); err != nil || v.Path != "d/a" {
		t.Errorf("another topic y takes over in %s: %v", v.Path, err)
	}
	r.s.Settle()
	if v, err := r.s.Home(kafka.TopicPartition{Topic: "y"}, kafka.TopicID{2}, r.s.Volumes[0].ID()); err != nil || v.Path != "d/a" {
		t.Errorf("after the start what it found still counts: %s, %v", v.Path, err)
	}
}

// Files of one replica in two directories, neither of which has replaced the other, are for the operator.
func TestTwoHomes(t *testing.T) {
	fs := disk.NewMem()
	r := newRig(t, fs, "d/a", "d/b")
	if _, err := r.place("x", kafka.TopicID{1}, r.s.Volumes[0].ID()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.place("x", kafka.TopicID{1}, r.s.Volumes[1].ID()); err != nil {
		t.Fatal(err)
	}
	r.s.Abandon()
	r = newRig(t, fs, "d/a", "d/b")
	v, err := r.s.Home(kafka.TopicPartition{Topic: "x"}, kafka.TopicID{1}, r.s.Volumes[0].ID())
	if v != r.s.Nowhere || err == nil || !strings.Contains(err.Error(), "Duplicate log directories for x-0 are found in both d/a and d/b") {
		t.Errorf("x is in %q: %v", v.Path, err)
	}
}

// What no topic owns is set aside by the end of the start, and nothing is deleted.
func TestStraysAreSetAside(t *testing.T) {
	fs := disk.NewMem()
	r := newRig(t, fs, "d/a")
	if _, err := r.place("x", kafka.TopicID{1}, kafka.DirectoryUnassigned); err != nil {
		t.Fatal(err)
	}
	r.s.Abandon()
	r = newRig(t, fs, "d/a")
	r.s.Settle()
	entries, err := fs.List("d/a")
	if err != nil {
		t.Fatal(err)
	}
	stray := 0
	for _, e := range entries {
		if e.Name == "x-0" {
			t.Error("x-0 is where it was")
		}
		if strings.HasPrefix(e.Name, "x-0.") && strings.HasSuffix(e.Name, "-stray") {
			stray++
		}
	}
	if stray != 1 {
		t.Errorf("%d strays in %v", stray, entries)
	}
}
