package node

import (
	"slices"
	"testing"

	"github.com/milena-io/milena/internal/kafka"
)

// What a broker tells of its last stop when it registers: the epoch of the incarnation that stopped cleanly (KIP-966), and which
// incarnations each directory names. One that was restored from before the last registration does not name that one.
func TestABrokerTellsOfItsLastStop(t *testing.T) {
	c, b := apart(t)
	tells := func(what string, clean, known bool) {
		t.Helper()
		have := c.n.feed.Image().Broker(1)
		b.hall.starts = nil
		b.boot()
		for _, r := range b.hall.starts {
			want := kafka.BrokerEpoch(-1)
			if clean {
				want = have.Epoch
			}
			if len(r.Noted) != 1 || len(r.LogDirs) != 1 || !slices.Contains(r.Noted[0], r.Incarnation) {
				t.Fatalf("%s: %v in %v", what, r.Noted, r.LogDirs)
			}
			if got := have != nil && slices.Contains(r.Noted[0], have.Incarnation); r.PreviousEpoch != want || got != known {
				t.Errorf("%s: the previous epoch is %d, want %d; the last incarnation is noted: %v, want %v", what, r.PreviousEpoch, want, got, known)
			}
		}
		if len(b.hall.starts) == 0 {
			t.Fatalf("%s: nobody registered", what)
		}
	}
	ends := func() {
		b.proc.Kill()
		b.fs = b.fs.PowerCut()
	}
	tells("a new broker", false, false)
	old := b.fs.PowerCut()
	b.halt()
	ends()
	tells("after a clean stop", true, true)
	ends()
	tells("after a power cut", false, true)
	ends()
	tells("after another", false, true)
	b.proc.Kill()
	b.fs = old
	tells("with a disk restored from before", false, false)
}
