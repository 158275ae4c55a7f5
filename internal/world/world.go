// Package world is what a node is given of time, concurrency and chance, so that the same node runs on goroutines
// and real clocks in production and on one goroutine and a virtual clock in a simulation (architecture D1, D2).
//
// Shells (partition, quorum, coordinator, listen, node) hold a World; machines never see one, they get an Instant.
// The rule that makes a whole node single-threaded under simulation: code that runs inside a World callback never
// blocks on another callback. Waiting is a continuation: register a func, return, and be called. Mutexes are fine for
// short sections, but no continuation is ever called with one held.
package world

import (
	"time"

	"github.com/milena-io/milena/internal/kafka"
)

// World is the source of time, concurrency and chance.
type World interface {
	// Now returns the present on both clocks.
	Now() kafka.Instant
	// Go runs f concurrently: on a goroutine of its own, or soon, at a moment of the simulator's choosing.
	// In production f may block (on a disk sync, say); its caller never does.
	Go(f func())
	// After runs f as Go does, once d has passed. A d of zero or less means at once.
	After(d time.Duration, f func()) Timer
	// UUID returns a fresh random id.
	UUID() kafka.UUID
	// Uint64 returns a random number, for jitter and session ids.
	Uint64() uint64
}

// Timer can be stopped.
type Timer interface {
	// Stop keeps the callback from running and reports whether it came in time.
	Stop() bool
}
