package log

import (
	"fmt"
	"slices"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// within is a log that was emptied at offset 7, and a batch of the leader's from 5 to 8.
func within(t *testing.T) (*rig, record.Batch) {
	t.Helper()
	r := threes(t, 2)
	r.flush()
	must.OK(r.l.TruncateFullyAndStartAt(7))
	b := nobody.batch(r.now.WallMs, "5", "6", "7", "8")
	b.SetBaseOffset(5)
	b.SetLeaderEpoch(3)
	return r, b
}

func TestAppendAround(t *testing.T) {
	for _, how := range []string{"", "kill", "power", "clean"} {
		r, b := within(t)
		must.Get(AppendAround(r.l, r.now, b))
		if o := r.l.Offsets(); o.LogStart != 7 || o.End != 9 {
			t.Fatalf("%+v", o)
		}
		r.flush()
		if how != "" {
			r.restart(how)
		}
		r.offsets(7, 9, 9, 9)
		if got := r.values(7); !slices.Equal(got, []string{"7=7", "8=8"}) {
			t.Errorf("%q: read %v", how, got)
		}
		if e := r.l.Epochs().Entries(); len(e) != 1 || e[0].Epoch != 3 || e[0].Start != 7 {
			t.Errorf("%q: epochs %v", how, e)
		}
	}
}

// A crash before it is flushed leaves it, or the log that begins at the place within.
func TestACrashAfterAppendAround(t *testing.T) {
	for _, how := range []string{"kill", "power"} {
		r, b := within(t)
		must.Get(AppendAround(r.l, r.now, b))
		r.restart(how)
		if o := r.l.Offsets(); o.LogStart != 7 || o.End != 7 && o.End != 9 {
			t.Errorf("%s: %+v", how, o)
		}
	}
}

// A full disk, wherever it strikes, leaves a log at the place it was to begin at, that takes records when there is room again. Where it
// stays full the log may not come back to there.
func TestAppendAroundOnAFullDisk(t *testing.T) {
	for _, op := range []disk.Op{"", disk.OpOpen, disk.OpWrite, disk.OpSync, disk.OpSyncDir, disk.OpTruncate, disk.OpRename, disk.OpRemove} {
		for _, times := range []int{0, 1} {
			for _, how := range []string{"", "kill", "power", "clean"} {
				for skip := 0; aroundFull(t, op, how, times, skip); skip++ {
				}
			}
		}
	}
}

func aroundFull(t *testing.T, op disk.Op, how string, times, skip int) (hit bool) {
	what := fmt.Sprintf("%s %d fails for %d, then %q", op, skip, times, how)
	r, b := within(t)
	var faulty *disk.Faulty
	r.around = func(fsys disk.FS) disk.FS { faulty = disk.NewFaulty(fsys); return faulty }
	r.restart("power")
	faulty.Add(disk.Fault{Op: op, Path: "/t-0", Skip: skip, Times: times, Err: disk.ErrNoSpace, Slow: func() { hit = true }})
	_, err := AppendAround(r.l, r.now, b)
	faulty.Heal()
	before := err != nil && r.l.Offsets().End < 7
	if o := r.l.Offsets(); !before && (o.LogStart != 7 || err != nil && o.End != 7 || err == nil && o.End != 9) || before && (times > 0 || o.LogStart != o.End) {
		t.Fatalf("%s: %+v after %v", what, o, err)
	}
	if before {
		aroundBack(r, b, how, what)
		return hit
	}
	if fault.IsKind(err, fault.Disk) {
		t.Fatalf("%s: %v", what, err)
	}
	if how != "" {
		r.restart(how)
	}
	if o := r.l.Offsets(); o.LogStart != 7 || o.End != 7 && (err != nil || o.End != 9) {
		t.Fatalf("%s: %+v", what, o)
	} else if o.End == 7 {
		must.Get(AppendAround(r.l, r.now, b))
	}
	r.flush()
	r.checkpointed()
	r.restart("power")
	r.offsets(7, 9, 9, 9)
	if got := r.values(7); !slices.Equal(got, []string{"7=7", "8=8"}) {
		t.Fatalf("%s: read %v", what, got)
	}
	return hit
}

// aroundBack is for a log that could not come back to where it was to begin: it takes records where it ends, and no start stands in
// their way, or begins there yet.
func aroundBack(r *rig, b record.Batch, how, what string) {
	r.t.Helper()
	if at := Recoverable(r.l); at != 0 {
		r.t.Fatalf("%s: a recovery point of %d", what, at)
	}
	o := r.l.Offsets()
	if how == "power" || how == "clean" {
		x := nobody.batch(r.now.WallMs, "x")
		x.SetBaseOffset(o.End)
		x.SetLeaderEpoch(3)
		must.Get(r.l.AppendAsFollower(r.now, x))
		r.flush()
		r.checkpointed()
		r.restart(how)
		r.offsets(o.End, o.End+1, o.End+1, o.End+1)
		if got, want := r.values(o.End), []string{fmt.Sprintf("%d=x", o.End)}; !slices.Equal(got, want) {
			r.t.Fatalf("%s: read %v, want %v", what, got, want)
		}
	}
	must.OK(r.l.TruncateFullyAndStartAt(7))
	must.Get(AppendAround(r.l, r.now, b))
	r.flush()
	r.checkpointed()
	r.restart("power")
	r.offsets(7, 9, 9, 9)
}

// TruncateFullyAndStartAt on a full disk leaves the log as it was, or the first segments of it, or empty where it was to begin; it takes records when there is room.
func TestTruncateFullyOnAFullDisk(t *testing.T) {
	for _, op := range []disk.Op{"", disk.OpOpen, disk.OpWrite, disk.OpSync, disk.OpSyncDir, disk.OpRename, disk.OpRemove} {
		for _, times := range []int{0, 1} {
			for skip := 0; truncateFull(t, op, times, skip); skip++ {
			}
		}
	}
}

func truncateFull(t *testing.T, op disk.Op, times, skip int) (hit bool) {
	what := fmt.Sprintf("%s %d fails for %d", op, skip, times)
	r := threes(t, 12)
	r.flush()
	var faulty *disk.Faulty
	r.around = func(fsys disk.FS) disk.FS { faulty = disk.NewFaulty(fsys); return faulty }
	r.restart("kill")
	was := r.l.Offsets()
	faulty.Add(disk.Fault{Op: op, Skip: skip, Times: times, Err: disk.ErrNoSpace, Slow: func() { hit = true }})
	err := r.l.TruncateFullyAndStartAt(50)
	faulty.Heal()
	o := r.l.Offsets()
	if o.End != 50 && (err == nil || o.End > was.End) {
		t.Fatalf("%s: %+v after %v", what, o, err)
	}
	r.put("x")
	r.flush()
	r.restart("power")
	if got, want := r.values(o.End), []string{fmt.Sprintf("%d=x", o.End)}; !slices.Equal(got, want) {
		t.Fatalf("%s: read %v, want %v", what, got, want)
	}
	return hit
}
