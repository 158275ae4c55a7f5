package node

import (
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
)

// open counts the logs of a topic that somebody has opened.
func (r *rig) open(topic string) (n int) {
	for _, p := range r.n.replicas.All() {
		if p.Name().Topic == topic && p.Standing().Open {
			n++
		}
	}
	return n
}

// What was dirty at a clean stop is compacted after the start, though nobody reads or writes; and no log is opened that has
// nothing to compact by its files, or whose topic is not compacted.
func TestTheCleanerWakesWhatIsDirty(t *testing.T) {
	r := newRig(t, "log.cleaner.enable", "false")
	r.logs.info = true
	r.create("dirty", 1, "cleanup.policy", "compact", "segment.bytes", "1048576")
	r.create("small", 1, "cleanup.policy", "compact")
	r.create("never", 3, "cleanup.policy", "compact")
	r.create("kept", 1, "cleanup.policy", "delete", "segment.bytes", "1048576", "retention.ms", "-1")
	r.create("young", 1, "cleanup.policy", "compact", "segment.bytes", "1048576", "min.compaction.lag.ms", "86400000000")
	for _, topic := range []string{"dirty", "kept", "young"} {
		r.bulky(topic, 1, 7)
	}
	wantCode(t, r.write("small", 0, keyed("k", "v")).ErrorCode, kafka.ErrNone)
	r.w.Run(time.Minute)
	r.set["log.cleaner.enable"] = "true"
	r.restart()
	if n := r.open("dirty"); n != 0 {
		t.Fatalf("%d logs are open after a clean start", n)
	}
	r.w.Run(time.Minute)
	r.said("Log cleaner thread 0 cleaned log dirty-0")
	for topic, want := range map[string]int{"dirty": 1, "small": 0, "never": 0, "kept": 0, "young": 1} {
		if n := r.open(topic); n != want {
			t.Errorf("%s: %d logs are open, want %d", topic, n, want)
		}
	}
	if last, records := r.lastOf("dirty"); last["k0"] != "6" || records > 4 {
		t.Errorf("%d records, last %v", records, last)
	}
	if _, records := r.lastOf("young"); records != 7 {
		t.Errorf("%d records of 7 that are too young are left", records)
	}
}
