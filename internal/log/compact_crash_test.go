package log

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/clean"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/must"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the expected outcomes in testdata")

// dirtied is a log with something to compact, closed segments and all of it durable.
func dirtied(t *testing.T, seed uint64) *history {
	h := newHistory(t, seed)
	for range 40 {
		h.write()
		if h.rng.IntN(2) == 0 {
			h.decide(kafka.ProducerID(2 + h.rng.IntN(3)))
		}
	}
	h.flush()
	h.checkpointed()
	return h
}

// snapshotting takes an image of a disk before every call that changes it.
type snapshotting struct {
	disk.FS
	mem   *disk.Mem
	taken func()
}

func (s snapshotting) Rename(from, to string) error {
	s.taken()
	return s.FS.Rename(from, to)
}

func (s snapshotting) Remove(path string) error {
	s.taken()
	return s.FS.Remove(path)
}

func (s snapshotting) SyncDir(dir string) error {
	s.taken()
	err := s.FS.SyncDir(dir)
	s.taken()
	return err
}

// C6: a crash at every step of a compaction, in whatever way it may leave the disk, leaves one valid generation: the log
// recovers, no record of the last of its key is lost, nothing comes back, and nothing of the compaction's files stays.
func TestACrashLeavesOneGeneration(t *testing.T) {
	images := 0
	for seed := range uint64(3) {
		var mems []*disk.Mem
		dice := rand.New(rand.NewPCG(seed, 5))
		h := dirtied(t, seed)
		taken := func() {
			mems = append(mems, h.mem.PowerCut())
			for range 2 {
				mems = append(mems, h.mem.Crash(dice))
			}
		}
		h.around = func(fsys disk.FS) disk.FS { return snapshotting{fsys, h.mem, taken} }
		h.restart("clean")
		mems = nil
		if _, err := h.compact(clean.DefaultBuffers(), func() {}); err != nil {
			t.Fatal(err)
		}
		h.around = nil
		for i, mem := range mems {
			images++
			h.mem = mem
			h.rig.open()
			what := fmt.Sprintf("seed %d image %d of %d", seed, i, len(mems))
			h.check(what)
			for _, name := range h.files() {
				if strings.HasSuffix(name, segment.CleanedSuffix) || strings.HasSuffix(name, segment.SwapSuffix) || strings.HasSuffix(name, segment.DeletedSuffix) {
					t.Fatalf("%s: %s is left", what, name)
				}
			}
			contiguous(t, what, h.l)
			h.put("more") // and it takes records
		}
	}
	if images < 300 {
		t.Errorf("%d images are too few", images)
	}
}

// contiguous fails where a segment ends before the next begins, which recovery takes for lost records.
func contiguous(t *testing.T, what string, l *Log) {
	t.Helper()
	for i, s := range l.segments[:len(l.segments)-1] {
		end := must.Get(segment.EndOfFile(l.options.FS, s.Path(segment.LogSuffix), s.Base(), nil))
		if next := l.segments[i+1].Base(); end != next {
			t.Fatalf("%s: the segment %d ends at %d and the next begins at %d", what, s.Base(), end, next)
		}
	}
}

// The order of writes, syncs and renames of one compaction, as reviewed.
func TestGoldenTraceOfACompaction(t *testing.T) {
	h := dirtied(t, 5)
	rec := disk.NewRecording(h.mem)
	h.around = func(disk.FS) disk.FS { return rec }
	h.restart("clean")
	rec.Reset()
	if c, err := h.compact(clean.DefaultBuffers(), func() {}); err != nil || c == nil {
		t.Fatal(c, err)
	}
	got := disk.Script(rec.Calls(disk.OpWrite, disk.OpSync, disk.OpSyncDir, disk.OpRename, disk.OpRemove, disk.OpTruncate))
	path := filepath.Join("testdata", "compaction.trace")
	if *rewrite {
		must.OK(os.WriteFile(path, []byte(got), 0o644))
	}
	if want := string(must.Get(os.ReadFile(path))); got != want {
		t.Errorf("the order of a compaction has changed; review it and run with -rewrite:\n%s", got)
	}
}
