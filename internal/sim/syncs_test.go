package sim

import (
	"testing"
	"time"

	"github.com/milena-io/milena/internal/history/faults"
	"github.com/milena-io/milena/internal/kafka"
)

// TestSyncsFailAgainAndAgain: the disk of one node fails syncs over and over, each time the next process finds all it needs in
// memory, and now and then the power goes: of the node, and of the cluster.
func TestSyncsFailAgainAndAgain(t *testing.T) {
	const node = kafka.NodeID(2)
	var events []faults.Event
	for i := range 8 {
		at := time.Duration(i)*time.Second + 300*time.Millisecond
		events = append(events, faults.Event{At: at, For: 150 * time.Millisecond, Kind: faults.SyncFails, Nodes: []kafka.NodeID{node}})
		switch i % 4 {
		case 1:
			events = append(events, faults.Event{At: at + 550*time.Millisecond, For: 100 * time.Millisecond, Kind: faults.PowerCut, Nodes: []kafka.NodeID{node}})
		case 3:
			events = append(events, faults.Event{At: at + 550*time.Millisecond, For: 100 * time.Millisecond, Kind: faults.AllPower, Nodes: []kafka.NodeID{1, 2, 3}})
		}
	}
	var all Reached
	for seed := uint64(1); seed <= 3; seed++ { // of three nodes each
		r := Run(seed, Options{Events: events})
		if r.Failed() {
			t.Errorf("%v", &r)
		}
		all.Add(&r.Reached)
	}
	if all.Of[GaveUp] < 3*4 {
		t.Errorf("nodes gave up %d times: syncs don't fail", all.Of[GaveUp])
	}
}
