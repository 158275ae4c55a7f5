package disk

import (
	"testing"

	"github.com/milena-io/milena/internal/must"
)

// text is what a process reads of a file.
func text(fsys FS, path string) string {
	f := must.Get(fsys.Open(path, 0))
	b := make([]byte, must.Get(f.Size()))
	_, _ = f.ReadAt(b, 0)
	must.OK(f.Close())
	return string(b)
}

// TestAFailedSyncLeavesPagesClean: what could not be written is read as before, by the next process, too, until it is dropped from
// memory; the next sync succeeds and does not write it, and what is written again it does.
func TestAFailedSyncLeavesPagesClean(t *testing.T) {
	for _, all := range []bool{false, true} {
		mem := NewMem()
		faulty := NewFaulty(mem)
		f := must.Get(faulty.Open("f", Write|Create))
		must.OK(mem.SyncDir(""))
		must.Get(f.WriteAt([]byte("good."), 0))
		must.OK(f.Sync())
		must.Get(f.WriteAt([]byte("lost."), 5))
		again := f.Sync
		if all {
			again = must.Get(mem.OpenVolume("")).Sync
			mem.FailSync()
		} else {
			faulty.Add(Fault{Op: OpSync, Err: ErrIO})
			if f.Sync() == nil {
				t.Fatal("the sync did not fail")
			}
			faulty.Heal()
		}
		must.OK(again())
		if got := text(mem.Killed(), "f"); got != "good.lost." {
			t.Errorf("the next process reads %q", got)
		}
		if got := text(mem.PowerCut(), "f"); got != "good." {
			t.Errorf("after a power cut: %q", got)
		}
		evicted := mem.Copy()
		evicted.Evict()
		if got := text(evicted, "f"); got != "good." {
			t.Errorf("out of memory: %q", got)
		}
		must.Get(f.WriteAt([]byte("more"), 10))
		must.OK(again())
		if got := text(mem.PowerCut(), "f"); got != "good.\x00\x00\x00\x00\x00more" {
			t.Errorf("what came later is synced, the rest is not: %q", got)
		}
		must.Get(f.WriteAt([]byte("lost."), 5))
		if n, _ := mem.Images().Len(); n < 2 {
			t.Errorf("what is written again is not dirty: %d images", n)
		}
		must.OK(again())
		if got := text(mem.PowerCut(), "f"); got != "good.lost.more" {
			t.Errorf("written again and synced: %q", got)
		}
	}
}

// TestAJournalKnowsFailedSyncs replays one.
func TestAJournalKnowsFailedSyncs(t *testing.T) {
	for _, all := range []bool{false, true} {
		mem := NewMem()
		j := mem.Record()
		faulty := NewFaulty(mem)
		f := must.Get(faulty.Open("f", Write|Create))
		must.OK(faulty.SyncDir(""))
		must.Get(f.WriteAt([]byte("lost"), 0))
		if all {
			mem.FailSync()
		} else {
			faulty.Add(Fault{Op: OpSync, Err: ErrIO})
			_ = f.Sync()
			faulty.Heal()
		}
		must.OK(f.Sync())
		r := j.Replay()
		r.To(j.Len(), nil)
		if now, cut := text(r.Mem(), "f"), text(r.Mem().PowerCut(), "f"); now != "lost" || cut != "" {
			t.Errorf("read as %q, after a power cut as %q", now, cut)
		}
	}
}
