package kafka

import "time"

// Instant is one moment on two clocks (architecture D1). Leases, sessions and timers compare Mono; record
// timestamps, retention and tokens use WallMs. The two are never mixed.
type Instant struct {
	Mono   time.Duration // since an arbitrary start of this process; never goes backwards
	WallMs int64         // milliseconds since the Unix epoch; may jump
}

// Add moves both clocks by d.
func (i Instant) Add(d time.Duration) Instant {
	return Instant{Mono: i.Mono + d, WallMs: i.WallMs + d.Milliseconds()}
}

// Since returns the monotonic time from o to i.
func (i Instant) Since(o Instant) time.Duration { return i.Mono - o.Mono }
