package partition

import (
	"testing"
	"time"
)

// The mean over the windows decides: a burst is made up for by a pause, and what is older than the windows is forgotten.
func TestRate(t *testing.T) {
	r := NewRate(10, time.Second)
	now := time.Hour
	r.Take(now, 1<<30)
	if r.Exceeded(now) {
		t.Fatal("without a limit")
	}
	now += time.Minute
	r.Limit(1000)
	if r.Exceeded(now) {
		t.Fatal("what was taken a minute ago counts")
	}
	r.Take(now, 5000)
	for s := range 10 {
		at := now + time.Duration(s)*time.Second
		if over := s < 5; r.Exceeded(at) != over {
			t.Errorf("%d s after a burst of 5 s: exceeded %v", s, !over)
		}
	}
	sent := 0
	for at := now; at < now+100*time.Second; at += 10 * time.Millisecond {
		if !r.Exceeded(at) {
			r.Take(at, 300)
			sent += 300
		}
	}
	if sent < 90_000 || sent > 110_000 {
		t.Errorf("%d bytes in 100 s at 1000 a second", sent)
	}
}
