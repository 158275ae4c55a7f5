package upkeep

import (
	"fmt"
	"time"

	"github.com/milena-io/milena/internal/disk"
)

// stallEvery is how often flushes are looked at.
const stallEvery = time.Second

// stall is a log directory whose flush has been under way for longer than milena.flush.stall.ms (fault F11): a device that
// hangs, or is much slower than it was. Producers with acks=all on it wait, which is all that is right while nobody else has
// their records.
type stall struct {
	since time.Duration // when the flush began
	told  time.Duration // its age when the log last told of it; zero: not yet
}

// flushers are the flush services of all log directories.
func (u *Upkeep) flushers() []*disk.Flusher {
	var out []*disk.Flusher
	for _, v := range u.o.Storage.All() {
		out = append(out, v.Flusher)
	}
	return out
}

// WatchFlushes looks for flushes that hang.
func (u *Upkeep) WatchFlushes() {
	limit := u.o.Static.Millis("milena.flush.stall.ms")
	stalls := map[string]*stall{}
	u.repeat("milena.flush.stall.ms", stallEvery, func() error {
		for _, f := range u.flushers() {
			s := stalls[f.Name()]
			if s == nil {
				s = &stall{}
				stalls[f.Name()] = s
			}
			u.watchFlush(f, s, limit)
		}
		return nil
	})
}

// watchFlush tells of a flush that hangs, again each time its age has doubled, and of its end.
func (u *Upkeep) watchFlush(f *disk.Flusher, s *stall, limit time.Duration) {
	now := u.o.World.Now().Mono
	since, busy := f.UnderWay()
	if s.told > 0 && (!busy || since != s.since) {
		u.log("kafka.log").Info("Flushes of log directory "+f.Name()+" end again.", "dir", f.Name(), "stalled", s.told.String())
		*s = stall{}
	}
	age := now - since
	if !busy || age < limit || age < 2*s.told {
		return
	}
	s.since, s.told = since, age
	u.log("kafka.log").Warn(fmt.Sprintf("A flush of log directory %s has been under way for %v: its device hangs or is very slow. %s",
		f.Name(), age.Round(time.Millisecond), u.stranded()), "dir", f.Name(), "age", age.String())
}

// stranded says what becomes of the partitions that are led from a directory whose flush hangs. Where another replica is in
// sync, here is the place to move their leadership to it (architecture D5); a node alone keeps them all.
func (u *Upkeep) stranded() string {
	return "Producers with acks=all wait for it; no other replica could take the leadership over."
}

// FlushAge is how long the flush of a directory has been under way; zero while none is.
func (u *Upkeep) FlushAge(dir string) time.Duration {
	for _, f := range u.flushers() {
		if since, busy := f.UnderWay(); busy && f.Name() == dir {
			return max(u.o.World.Now().Mono-since, 0)
		}
	}
	return 0
}
