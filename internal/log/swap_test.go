package log

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/log/clean"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/must"
)

// syncing shows each sync of a directory's names.
type syncing struct {
	disk.FS
	seen func(dir string)
}

func (s *syncing) SyncDir(dir string) error {
	s.seen(dir)
	return s.FS.SyncDir(dir)
}

// The writer's mutex is free while a swap's names are synced, and whatever its holder does in between, to the segments and
// to the log, the log is whole then and after every kind of end.
func TestWritersBesideASwap(t *testing.T) {
	deeds := map[string]func(h *history){
		"append":    func(h *history) { h.write() },
		"roll":      func(h *history) { must.OK(h.l.roll(h.now, h.l.end)) },
		"truncate":  func(h *history) { must.OK(h.l.TruncateTo(h.l.Offsets().End)) },
		"cut":       func(h *history) { must.OK(h.l.TruncateTo(1)) },
		"cut fully": func(h *history) { must.OK(h.l.TruncateFullyAndStartAt(1000)) },
		"the start": func(h *history) {
			must.OK(h.l.AdvanceStart(h.l.segments[1].Base()))
			_ = must.Get(h.l.Retain(h.now, h.l.Offsets().Durable))
		},
		"close":                   func(h *history) { must.OK(h.l.Close(h.now)) },
		"delete":                  func(h *history) { must.OK(h.l.Delete()) },
		"a directory that failed": func(h *history) { h.l.Abandon() },
	}
	for name, deed := range deeds {
		for at := 1; ; at++ {
			h := dirtied(t, 2)
			syncs, mu, did := -1, &sync.Mutex{}, false
			h.around = func(fsys disk.FS) disk.FS {
				return &syncing{fsys, func(dir string) {
					if syncs < 0 || dir != root+"/t-0" || did {
						return
					}
					if !mu.TryLock() {
						t.Fatalf("%s: the writer's mutex is held while names are synced", name)
					}
					defer mu.Unlock()
					if syncs++; syncs == at {
						did = true
						deed(h)
					}
				}}
			}
			h.restart("clean")
			syncs = 0
			c, err := Compact(h.l, h.now, CompactOptions{
				Policy: h.cfg.Clean, Buffers: clean.DefaultBuffers(), HighWatermark: h.l.Offsets().Durable, IndexInterval: 200, Writer: mu,
			})
			for over := false; err == nil && !over; {
				over, _, err = c.Step(1 << 20)
			}
			if end := c.End(err == nil); err == nil {
				err = end
			}
			if err != nil && !Abandoned(err) {
				t.Fatalf("%s at sync %d: %v", name, at, err)
			}
			if !did {
				break // the compaction has no more syncs
			}
			what := fmt.Sprintf("%s at sync %d", name, at)
			h.around = nil
			switch name {
			case "append", "roll", "truncate":
				h.check(what)
				h.flush()
				h.restart("power")
				h.check(what + ", after a power cut")
			case "close", "a directory that failed":
				for _, file := range h.files() {
					if name == "close" && strings.HasSuffix(file, segment.SwapSuffix) {
						t.Fatalf("%s: a clean stop leaves %s", what, file)
					}
				}
				h.restart("kill")
				h.check(what)
			case "cut", "cut fully", "the start":
				o := h.l.Offsets()
				data := h.bytes(o.LogStart)
				h.restart("power")
				if now := h.l.Offsets(); now.LogStart != o.LogStart || now.End != o.End {
					t.Fatalf("%s: the log was %+v and is %+v", what, o, now)
				}
				equalBytes(t, what, h.bytes(o.LogStart), data)
			case "delete":
				h.restart("power")
				if h.l.Offsets().End != 0 {
					t.Fatalf("%s: the log is back", what)
				}
			}
			if len(h.l.segments) > 1 {
				contiguous(t, what, h.l)
			}
		}
	}
}
