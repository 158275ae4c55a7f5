package log

import (
	"fmt"
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/log/clean"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/must"
)

// S6: a full volume, or one file too many, ends a compaction wherever it strikes, and not the log: what that leaves is served,
// is ended by the next compaction or a stop, and is one generation of every segment for the next start.
func TestNoRoomForASwap(t *testing.T) {
	for _, op := range []disk.Op{"", disk.OpRename, disk.OpSyncDir, disk.OpOpen} { // every call from one on, or one
		times := min(len(op), 1)
		for _, end := range []string{"clean", "kill", "power", "cut"} {
			for skip := 0; noRoomOnce(t, op, end, end == "kill", times, skip); skip++ {
			}
		}
	}
}

// noRoomOnce has a call of a compaction fail, and those after it that it has times for; false when there are no more calls.
func noRoomOnce(t *testing.T, op disk.Op, end string, again bool, times, skip int) (hit bool) {
	what := fmt.Sprintf("%s %d fails for %d, compacted again: %v, then %s", op, skip, times, again, end)
	h := dirtied(t, 2)
	var faulty *disk.Faulty
	h.around = func(fsys disk.FS) disk.FS { faulty = disk.NewFaulty(fsys); return faulty }
	h.restart("clean")
	faulty.Add(disk.Fault{Op: op, Path: "/t-0", Skip: skip, Times: times, Err: disk.ErrNoSpace, Slow: func() { hit = true }})
	_, _ = h.compact(clean.DefaultBuffers(), func() {})
	faulty.Heal()
	h.check(what)
	h.write()
	h.flush()
	h.checkpointed()
	if again {
		if _, err := h.compact(clean.DefaultBuffers(), func() {}); err != nil {
			t.Fatalf("%s: compacted again: %v", what, err)
		}
		h.check(what + ", compacted again")
	}
	h.around = nil
	if end == "cut" {
		must.OK(h.l.TruncateTo(h.l.Offsets().End - 1))
		data := h.bytes(0)
		h.restart("power")
		equalBytes(t, what, h.bytes(0), data)
	} else {
		h.restart(end)
		h.check(what + ", after it")
	}
	for _, name := range h.files() {
		if strings.HasSuffix(name, segment.CleanedSuffix) || strings.HasSuffix(name, segment.SwapSuffix) || strings.HasSuffix(name, segment.DeletedSuffix) {
			t.Fatalf("%s: %s is left", what, name)
		}
	}
	contiguous(t, what, h.l)
	for _, s := range h.l.segments {
		k := must.Get(s.Look(h.l.mu.RLocker(), newWindow()))
		must.OK(k.Unsealed(nil))
		k.Release()
	}
	if all := h.l.Damages(); len(all) > 0 {
		t.Fatalf("%s: a false alarm: %v", what, all)
	}
	return hit
}
