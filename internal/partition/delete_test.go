package partition

import (
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/log/clean"
	"github.com/milena-io/milena/internal/machine/replica"
)

// From the moment on in which a partition is deleted a compaction takes no name away: by its next step the directory may be
// another log's, of a topic that was made anew.
func TestACompactionOfADeletedLogTouchesNoName(t *testing.T) {
	r := newRig(t, disk.NewMem(), replica.Synced, 1, self)
	r.append(-1, "opens the log")
	cfg := *r.p.cfg
	cfg.Log.Roll.SegmentBytes = 200
	r.p.Configure(&cfg)
	for range 4 { // a segment each
		r.append(-1, "of no key, and so of no use to a compacted log")
	}
	r.w.Run(time.Second)
	c, err := log.Compact(r.p.log, r.w.Now(), log.CompactOptions{
		Policy: clean.DefaultPolicy(), Buffers: clean.DefaultBuffers(), IndexInterval: 4096, HighWatermark: 5, Writer: &r.p.mu,
	})
	if err != nil || c == nil {
		t.Fatalf("no compaction began: %v", err)
	}
	var done bool
	w := &Watcher{Moved: func() { done, _, err = c.Step(1 << 20) }} // beside the deletion, before the directory has lost its name
	r.p.Watch(w, 0)
	opened, deleted := r.p.Delete()
	if !opened || deleted != nil {
		t.Fatalf("deleted: opened %v, %v", opened, deleted)
	}
	if done || !log.Abandoned(err) {
		t.Errorf("a compaction of a deleted log went on: done %v, %v", done, err)
	}
	entries, err := r.fs.List("d")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name == name.String() {
			t.Errorf("%s is there still", e.Name)
		}
	}
	if end := c.End(false); !log.Abandoned(end) {
		t.Errorf("its end was %v", end)
	}
}
