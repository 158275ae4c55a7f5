package quorum

import (
	"slices"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
)

// A machine hears that it leads before anything of its leadership is in the log, be it only what an idle log is kept alive with, and
// hears it once.
func TestAMachineIsToldThatItLeads(t *testing.T) {
	c := newCluster(t, 5, 3, Config{})
	for range 3 {
		nd := c.awaitLeader()
		first := nd.q.committed
		c.w.Run(5 * time.Second)
		if end := nd.q.committed; len(nd.machine.led) == 0 || nd.machine.led[len(nd.machine.led)-1] != first || end == first {
			t.Fatalf("active at offset %d, idle until %d, and told at %v", first, end, nd.machine.led)
		}
		c.crash(nd)
		c.start(nd)
	}
}

// KIP-835: requests that change nothing do not keep a log alive.
func TestALogIsIdleWhateverIsAsked(t *testing.T) {
	c := newCluster(t, 6, 3, Config{IdleInterval: 500 * time.Millisecond})
	nd := c.awaitLeader()
	before := nd.q.committed
	for range 50 {
		nd.q.Submit(put{"k", "v", 0}, func(_ Reply, err error) {
			if err != nil {
				t.Error(err)
			}
		})
		c.w.Run(100 * time.Millisecond)
	}
	if n := nd.q.committed - before; n < 5 || n > 10 {
		t.Errorf("%d records in 5 seconds", n)
	}
	if len(nd.machine.keys) != 0 || !slices.Equal(nd.machine.led, []kafka.Offset{before}) {
		t.Errorf("keys %v, told at %v", nd.machine.keys, nd.machine.led)
	}
}
