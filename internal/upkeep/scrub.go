package upkeep

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/partition"
)

// scrub reads all sealed segments of this node again and again, slowly, and checks them (architecture D5): what nobody has
// read for a year is found damaged while there is still another copy of it somewhere. What does not check is told and served
// around as when a client had met it. A directory that is full or offline is left out, and so is a log that only has an
// active segment: that is checked when it is read.
//
// A round begins at a log that chance chooses, so that a node that never runs for as long as a round takes reads all of them
// in the end. It is one chain of steps on the World, with never more than one timer.
type scrub struct {
	of *Upkeep

	mu    sync.Mutex
	stats ScrubFigures
	round scrubRound
}

// ScrubFigures are how the scrub goes.
type ScrubFigures struct {
	Running      bool
	Left         int   // logs that the round under way has still to read
	Bytes        int64 // read since the start
	Rounds       int64 // finished since the start
	LastFinished int64 // wall time in ms; 0 for never
	Damages      int   // stretches that did not check in what the last finished round read
}

// scrubRound is what the round under way has done; only its chain of steps touches it.
type scrubRound struct {
	began   time.Duration
	left    []*partition.Partition
	at      *partition.Partition // whose log is being read
	log     *partition.Scrub     // nil between two
	logs    int                  // read to their end
	out     int                  // left out, or given up
	bytes   int64
	damages int
}

const (
	// scrubStep is how many bytes are read before others are let on.
	scrubStep = 1 << 20
	// scrubFirst is how long after the start the first round begins at the latest.
	scrubFirst = 10 * time.Minute
	// scrubGlance is how many logs are looked at for sealed segments before others are let on.
	scrubGlance = 100
)

func (s *scrub) interval() time.Duration { return s.of.o.Static.Millis("milena.scrub.interval.ms") }

// schedule sets the first round up.
func (s *scrub) schedule() {
	if d := s.interval(); d > 0 {
		s.after(min(d, scrubFirst), s.begin)
	}
}

// after goes on with f unless the node stops before.
func (s *scrub) after(d time.Duration, f func()) {
	s.of.chores.set("milena.scrub.interval.ms", s.of.o.World.After(d, func() {
		if !s.of.o.Life.Over() {
			f()
		}
	}))
}

func (s *scrub) begin() {
	all := s.of.o.Replicas.All()
	if len(all) > 0 {
		first := int(s.of.o.World.Uint64() % uint64(len(all)))
		all = append(all[first:len(all):len(all)], all[:first]...)
	}
	s.round = scrubRound{began: s.of.o.World.Now().Mono, left: all}
	s.step()
}

// step reads a piece of the log that is due, and leaves as much time to others as the throttle says.
func (s *scrub) step() {
	r := &s.round
	for glances := 0; r.log == nil && len(r.left) > 0; glances++ {
		if glances == scrubGlance {
			s.after(0, s.step)
			return
		}
		p := r.left[0]
		r.left = r.left[1:]
		s.next(p)
	}
	s.note(0)
	if r.log == nil {
		s.finish()
		return
	}
	if !s.fit(r.at) {
		s.ended(fault.Shutdown("node.scrub"))
		s.after(0, s.step)
		return
	}
	rate := s.of.o.Static.Int("milena.scrub.io.max.bytes.per.second")
	done, read, err := r.log.Step(min(rate, scrubStep))
	r.bytes += read
	s.note(read)
	if done || err != nil {
		s.ended(err)
	}
	s.after(time.Duration(float64(read)/float64(rate)*float64(time.Second)), s.step)
}

// next begins with a log if it is to be read. One that nobody has opened since the start is opened only when it has more than
// one segment.
func (s *scrub) next(p *partition.Partition) {
	if !s.fit(p) {
		s.round.out++
		return
	}
	if !p.Standing().Open {
		entries, err := s.of.o.Storage.FS.List(s.of.o.Storage.Of(p).Dir.PartitionPath(p.Name()))
		segments := 0
		for _, e := range entries {
			if strings.HasSuffix(e.Name, ".log") {
				segments++
			}
		}
		if err != nil || segments < 2 {
			return // it has no files yet, or nothing that is sealed
		}
		if err := p.Open(); err != nil {
			s.gaveUp(p, err)
			return
		}
	}
	s.round.log, s.round.at = partition.NewScrub(p), p
}

// fit reports whether the directory of a log is there and has room.
func (s *scrub) fit(p *partition.Partition) bool {
	v := s.of.o.Storage.Of(p)
	return v.Dir != nil && v.Offline() == nil && !s.of.o.Storage.Space.Of(v.Path).Full
}

// ended takes note of a log that was read, or could not be.
func (s *scrub) ended(err error) {
	r := &s.round
	r.damages += r.log.Damages()
	if err == nil {
		r.logs++
		if hear := s.of.o.Scrubbed; hear != nil && r.log.Damages() == 0 {
			hear(r.at)
		}
	} else {
		s.gaveUp(r.at, err)
	}
	r.log, r.at = nil, nil
}

// gaveUp leaves a log to the next round. A directory whose device fails was given up by the partition.
func (s *scrub) gaveUp(p *partition.Partition, err error) {
	s.round.out++
	if fault.IsKind(err, fault.Closed) || fault.IsKind(err, fault.Full) {
		return
	}
	s.of.log("kafka.log").Warn("The log of "+p.Name().String()+" could not be scrubbed to its end; the next scrub reads it again.", "error", err)
}

// finish tells of the round and sets the next one up.
func (s *scrub) finish() {
	r, now := s.round, s.of.o.World.Now()
	s.round = scrubRound{}
	s.mu.Lock()
	s.stats.Running, s.stats.Left = false, 0
	s.stats.Rounds++
	s.stats.LastFinished, s.stats.Damages = now.WallMs, r.damages
	s.mu.Unlock()
	s.of.log("kafka.log").Info(fmt.Sprintf("Scrubbed the sealed segments of %d logs: %d damaged stretches", r.logs, r.damages),
		"bytes", r.bytes, "leftOut", r.out, "ms", (now.Mono - r.began).Milliseconds())
	s.after(s.interval(), s.begin)
}

// note keeps the figures that metrics shows.
func (s *scrub) note(read int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Running, s.stats.Left = true, len(s.round.left)
	if s.round.log != nil {
		s.stats.Left++
	}
	s.stats.Bytes += read
}

// figures are how the scrub goes.
func (s *scrub) figures() ScrubFigures {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}
