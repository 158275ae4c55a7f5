package controller

import (
	"testing"

	"github.com/milena-io/milena/internal/kafka"
)

// A request that was on its way for too long comes twice when the registered process turns out to have ended: without the proof of that, and
// with it. It is one request all the same, of a process that may have ended, too.
func TestWhoIsProvedToHaveNoRivalHasNotAskedTwice(t *testing.T) {
	s := sessions{all: map[kafka.NodeID]*session{}, asked: map[kafka.NodeID]asking{}}
	ask := func(process byte, dead kafka.BrokerEpoch, want bool) {
		t.Helper()
		if got := s.insists(RegisterBroker{Broker: 1, Incarnation: kafka.IncarnationID{process}, Dead: dead}); got != want {
			t.Errorf("process %d, proof %d: %v", process, dead, got)
		}
	}
	ask(1, 0, false)
	ask(1, 7, false)
	ask(2, 0, false) // another one
	ask(2, 7, false)
	ask(1, 7, false)
	ask(2, 0, true)
	ask(2, 7, true)
	s.begin(kafka.Instant{}, 1, 8)
	ask(2, 0, false)
}
