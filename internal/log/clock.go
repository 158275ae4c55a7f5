package log

import (
	"time"

	"github.com/milena-io/milena/internal/kafka"
)

// guardedClock is the wall clock as retention believes it. A wall clock that runs ahead of the monotonic one by more
// than an hour has jumped, and a jump would make everything look old (fault F15); retention believes it only after it
// has lasted for an hour.
type guardedClock struct {
	at     kafka.Instant // when the two clocks last agreed
	jumped time.Duration // when the jump was first seen, by the monotonic clock; zero for none
}

const jumpSlack = time.Hour

func newGuardedClock(now kafka.Instant) guardedClock { return guardedClock{at: now} }

// wallMs returns the wall time to count retention from.
func (g *guardedClock) wallMs(now kafka.Instant) int64 {
	expected := g.at.WallMs + now.Since(g.at).Milliseconds()
	if now.WallMs > expected+jumpSlack.Milliseconds() {
		if g.jumped == 0 {
			g.jumped = now.Mono
		}
		if now.Mono-g.jumped < jumpSlack {
			return expected
		}
	}
	g.at, g.jumped = now, 0
	return now.WallMs
}
