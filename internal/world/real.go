package world

import (
	"crypto/rand"
	"encoding/binary"
	"time"

	"github.com/milena-io/milena/internal/kafka"
)

// Real is the production World: goroutines, the operating system's clocks and crypto/rand.
type Real struct{ start time.Time }

// NewReal starts a monotonic clock at one hour, so that "now minus an interval" stays positive.
func NewReal() *Real { return &Real{start: time.Now().Add(-time.Hour)} }

// Now reads both clocks.
func (r *Real) Now() kafka.Instant {
	t := time.Now()
	return kafka.Instant{Mono: t.Sub(r.start), WallMs: t.UnixMilli()}
}

// Go starts a goroutine.
func (r *Real) Go(f func()) { go f() }

// After uses the runtime's timers.
func (r *Real) After(d time.Duration, f func()) Timer { return time.AfterFunc(d, f) }

// UUID draws from crypto/rand and avoids ids that begin with a dash, as Kafka does, since they end up on command
// lines, and Kafka's reserved ids.
func (r *Real) UUID() kafka.UUID {
	for {
		var u kafka.UUID
		_, _ = rand.Read(u[:]) // never fails since Go 1.24
		if u.String()[0] != '-' && binary.BigEndian.Uint64(u[:8]) != 0 {
			return u
		}
	}
}

// Uint64 draws from crypto/rand.
func (r *Real) Uint64() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:])
}
