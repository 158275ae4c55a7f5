package segment

import (
	"sync"

	"github.com/milena-io/milena/internal/kafka"
)

// reads is what reads and writes of this process have found out about a file's bytes.
type reads struct {
	checked spans // written or checked
	trail   trail
}

// trailSpots is how many readers of a segment are remembered.
const trailSpots = 16

// trail is where reads of a segment ended lately, which is where they go on: a reader that takes batch after batch finds
// its place without an index and without the headers between an index entry and there.
type trail struct {
	mu    sync.Mutex
	spots *[trailSpots]spot // nil until somebody has read
	left  int               // spots ever left
	gen   int               // of the damages, at the last truncation: a spot from before says nothing
}

// at returns the boundary that a read left at an offset.
func (t *trail) at(from kafka.Offset) (spot, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range min(t.left, trailSpots) {
		if t.spots[i].offset == from {
			return t.spots[i], true
		}
	}
	return spot{}, false
}

// leave notes a boundary that was found in a generation of the file.
func (t *trail) leave(s spot, gen int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if gen == t.gen {
		if t.spots == nil {
			t.spots = new([trailSpots]spot)
		}
		t.spots[t.left%trailSpots] = s
		t.left++
	}
}

// cut forgets everything; what is found from now on is of this generation.
func (t *trail) cut(gen int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.left, t.gen = 0, gen
}
