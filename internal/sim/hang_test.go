package sim

import (
	"testing"
	"time"

	"github.com/milena-io/milena/internal/history/faults"
	"github.com/milena-io/milena/internal/kafka"
)

// TestDisksHang: the disk of one node after the other hangs for longer than anybody waits, twice of two at once, and now and then the node
// is killed or without power meanwhile.
func TestDisksHang(t *testing.T) {
	var events []faults.Event
	hang := func(at time.Duration, node kafka.NodeID) {
		events = append(events, faults.Event{At: at, For: 300 * time.Millisecond, Kind: faults.SlowDisk, Nodes: []kafka.NodeID{node}, Delay: 2500 * time.Millisecond})
	}
	for i := range 3 {
		at, node := time.Duration(3*i)*time.Second+200*time.Millisecond, kafka.NodeID(i+1)
		hang(at, node)
		if i > 0 {
			hang(at+100*time.Millisecond, node%3+1)
		}
		kind := [...]faults.Kind{faults.Crash, faults.PowerCut, faults.Pause}[i]
		events = append(events, faults.Event{At: at + 1800*time.Millisecond, For: 200 * time.Millisecond, Kind: kind, Nodes: []kafka.NodeID{node}})
	}
	var all Reached
	for seed := uint64(1); seed <= 4; seed++ {
		r := Run(seed, Options{Events: events})
		if r.Failed() {
			t.Errorf("%v", &r)
		}
		all.Add(&r.Reached)
	}
	if all.Of[Elections] < 4 || all.Of[Shrinks] < 4 {
		t.Errorf("%d elections and %d shrinks: nobody handed over", all.Of[Elections], all.Of[Shrinks])
	}
}
