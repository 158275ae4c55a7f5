package upkeep

import (
	"fmt"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/storage"
)

// stallEvery is how often flushes are looked at.
const stallEvery = time.Second

// stall is a log directory whose flush has been under way for longer than milena.flush.stall.ms (fault F11): a device that
// hangs, or is much slower than it was. Producers with acks=all on it wait; the controller is told, and has others lead that are in
// sync (architecture D5).
type stall struct {
	since time.Duration // when the flush began
	told  time.Duration // its age when the log last told of it; zero: not yet
}

// WatchFlushes looks for flushes that hang.
func (u *Upkeep) WatchFlushes() {
	stalls := map[string]*stall{}
	u.repeat("milena.flush.stall.ms", min(stallEvery, u.stallLimit()), func() error {
		changed := false
		for _, v := range u.o.Storage.All() {
			f := v.Flusher
			s := stalls[f.Name()]
			if s == nil {
				s = &stall{}
				stalls[f.Name()] = s
			}
			hung := s.told > 0
			u.watchFlush(f, s)
			changed = changed || hung != (s.told > 0)
		}
		if changed && u.o.Stalls != nil {
			u.o.Stalls()
		}
		return nil
	})
}

func (u *Upkeep) stallLimit() time.Duration { return u.o.Static.Millis("milena.flush.stall.ms") }

// Stalled lists the log directories of partitions whose flush hangs at the moment.
func (u *Upkeep) Stalled() (out []kafka.DirectoryID) {
	for _, v := range u.o.Storage.Serving() {
		if u.Hangs(v) {
			out = append(out, v.ID())
		}
	}
	return out
}

// Hangs reports whether the flush of a log directory hangs at the moment, of the metadata log's too, which may have one to itself.
func (u *Upkeep) Hangs(v *storage.Volume) bool {
	since, busy := v.Flusher.UnderWay()
	return busy && u.o.World.Now().Mono-since >= u.stallLimit()
}

// watchFlush tells of a flush that hangs, again each time its age has doubled, and of its end.
func (u *Upkeep) watchFlush(f *disk.Flusher, s *stall) {
	now := u.o.World.Now().Mono
	since, busy := f.UnderWay()
	if s.told > 0 && (!busy || since != s.since) {
		u.log("kafka.log").Info("Flushes of log directory "+f.Name()+" end again.", "dir", f.Name(), "stalled", s.told.String())
		*s = stall{}
	}
	age := now - since
	if !busy || age < u.stallLimit() || age < 2*s.told {
		return
	}
	s.since, s.told = since, age
	u.log("kafka.log").Warn(fmt.Sprintf("A flush of log directory %s has been under way for %v: its device hangs or is very slow. %s",
		f.Name(), age.Round(time.Millisecond), u.stranded()), "dir", f.Name(), "age", age.String())
}

// stranded says what becomes of the partitions that are led from a directory whose flush hangs.
func (u *Upkeep) stranded() string {
	others := 0
	for range u.o.Replicas.Image().Brokers() {
		others++
	}
	if others > 1 {
		return "Producers with acks=all wait for it; the controller is asked to have other replicas lead that are in sync."
	}
	return "Producers with acks=all wait for it; no other replica could take the leadership over."
}

// FlushAge is how long the flush of a directory has been under way; zero while none is.
func (u *Upkeep) FlushAge(dir string) time.Duration {
	for _, v := range u.o.Storage.All() {
		if since, busy := v.Flusher.UnderWay(); busy && v.Flusher.Name() == dir {
			return max(u.o.World.Now().Mono-since, 0)
		}
	}
	return 0
}
