package node

import (
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/world"
)

// inline is a World whose callbacks run at once, so that a sync can last while another world's time passes.
type inline struct{ world.World }

func (inline) Go(f func()) { f() }

// hanging is a sync that lasts until what happens meanwhile is over.
type hanging struct{ meanwhile func() }

func (h hanging) Sync() error {
	h.meanwhile()
	return nil
}

// A flush that hangs is told of, less and less often, and so is its end; a short one isn't.
func TestHangingFlushIsToldOf(t *testing.T) {
	r := newRig(t, "milena.flush.stall.ms", "3000")
	r.logs.info = true
	mine := r.n.storage.Metadata.Flusher
	defer func() { r.n.storage.Metadata.Flusher = mine }()
	f := disk.NewFlusher(inline{r.w}, mine.Name())
	r.n.storage.Metadata.Flusher = f
	const hangs = "WARN A flush of log directory"
	f.Flush([]disk.Syncer{hanging{func() { r.w.Run(2 * time.Second) }}}, must.OK)
	r.w.Run(2 * time.Second)
	if got := r.logs.with(hangs); len(got) > 0 {
		t.Fatalf("of a flush of two seconds: %v", got)
	}
	f.Flush([]disk.Syncer{hanging{func() {
		r.w.Run(30 * time.Second)
		if age := r.n.Gauges().Standing().Dirs[0].FlushAge; age < 30*time.Second || age > 31*time.Second {
			t.Errorf("the metric says %v", age)
		}
	}}}, must.OK)
	got := r.logs.with(hangs)
	if len(got) < 3 || len(got) > 5 { // at 3, 6, 12 and 24 seconds
		t.Errorf("of a flush of thirty seconds: %v", got)
	}
	r.said(hangs+" "+mine.Name()+" has been under way for 12s", "no other replica")
	r.w.Run(2 * time.Second)
	r.said("INFO Flushes of log directory " + mine.Name() + " end again.")
	if age := r.n.Gauges().Standing().Dirs[0].FlushAge; age != 0 {
		t.Errorf("afterwards the metric says %v", age)
	}
}
