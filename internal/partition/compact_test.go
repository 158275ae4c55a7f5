package partition

import (
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/log/clean"
	"github.com/milena-io/milena/internal/machine/replica"
)

// A compaction that its throttle keeps waiting for a minute is not what a stop waits for.
func TestAStopDoesNotWaitForAThrottle(t *testing.T) {
	r := newRig(t, disk.NewMem(), replica.Synced, 1, self)
	r.append(-1, "opens the log")
	cfg := *r.p.cfg
	cfg.Log.Roll.SegmentBytes = 200
	r.p.Configure(&cfg)
	for range 4 { // a segment each
		r.append(-1, "of no key, and so of no use to a compacted log")
	}
	r.w.Run(time.Second)
	waits, ended := 0, false
	pace := Pace{Buffers: clean.DefaultBuffers(), Step: 1, Wait: func(int64) time.Duration { waits++; return time.Minute }}
	Compact(r.p, pace, func(out Compacted) { ended = out.Began })
	r.w.RunUntil(time.Second, func() bool { return waits > 0 })
	if waits == 0 || ended {
		t.Fatalf("it waits %d times, and has ended: %v", waits, ended)
	}
	closed := false
	r.p.Stop(func(Closed) { closed = true })
	r.w.Run(time.Second)
	if !closed || !ended {
		t.Errorf("a second after the stop: closed %v, the compaction has ended %v", closed, ended)
	}
}
