package log

import (
	"slices"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
)

// What was noted is there after a power cut, and a directory restored from before doesn't name what came after.
func TestADirectoryNamesItsIncarnations(t *testing.T) {
	fs, want := disk.NewMem(), Identity{NodeID: 1}
	d := must.Get(OpenDir(fs, "d", want))
	if got := Noted(d); got != nil {
		t.Fatalf("a new directory names %v", got)
	}
	one, two := kafka.IncarnationID{1}, kafka.IncarnationID{2}
	must.OK(Note(d, []kafka.IncarnationID{one}))
	before := fs.PowerCut()
	must.OK(Note(d, []kafka.IncarnationID{one, two}))
	if got := Noted(must.Get(OpenDir(fs.PowerCut(), "d", want))); !slices.Equal(got, []kafka.IncarnationID{one, two}) {
		t.Fatalf("after a power cut it names %v", got)
	}
	if got := Noted(must.Get(OpenDir(before, "d", want))); !slices.Equal(got, []kafka.IncarnationID{one}) {
		t.Fatalf("the older one names %v", got)
	}
}

// Of too many the first stays, which did register, and the newest.
func TestTooManyIncarnations(t *testing.T) {
	d := must.Get(OpenDir(disk.NewMem(), "d", Identity{NodeID: 1}))
	var all []kafka.IncarnationID
	for i := range mostNoted + 7 {
		all = append(all, kafka.IncarnationID{1, byte(i), byte(i >> 8)})
	}
	must.OK(Note(d, all))
	got := Noted(d)
	if len(got) != mostNoted || got[0] != all[0] || !slices.Equal(got[1:], all[8:]) {
		t.Fatalf("%d are named: %v ... %v", len(got), got[0], got[1])
	}
}
