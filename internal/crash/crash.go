// Package crash holds the storage rooms against every image that a crash may leave of a disk (invariants S1 to S8). A
// Scenario tells a Story: calls on log and log.Dir over a disk in memory that keeps a journal, and
// beside them a Promise of what has to be there whatever crashes from then on. Explore goes through the journal moment by
// moment, makes the images of each, recovers them and holds them against the promise of that moment; some of them crash
// again while they recover. Drop takes single syncs out of a journal and wants some image to break a promise.
//
// Only tests and `make crash` call it. It never looks into a room's fields: what recovery finds is asked through the
// public face. Invariants: a story is the same in every run of its name and seed, and an image in every run of its number,
// so that a failure is repeated by what it prints.
package crash

import (
	"fmt"
	"math/rand/v2"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
)

// Scenario is one story and its name.
type Scenario struct {
	Name string
	// Tell makes the calls and the promises. A call that fails is the scenario's failure.
	Tell func(s *Story) error
	// Golden scenarios draw nothing from Rand, and the order of their writes, syncs and renames is in testdata.
	Golden bool
}

// Promise is what has to hold whatever crashes.
type Promise interface {
	// Hold recovers the disk and tells what is wrong. state describes what was recovered: recovering once more must give
	// the same.
	Hold(m *disk.Mem) (state string, err error)
	// Started is the promise once a process has begun on the disk, which may use up what it finds.
	Started() Promise
	// Variants are the promises that hold just as well: what happens to stand elsewhere on the disk may differ.
	Variants() []Promise
}

// Story is a scenario being told.
type Story struct {
	Mem  *disk.Mem
	Rand *rand.Rand
	Now  kafka.Instant
	// Together says that starts and clean stops sync the volume as a whole, as a node with many logs does.
	Together bool

	journal  *disk.Journal
	promises []promise
	chapters []chapter
}

// promise holds from an event on until the next one.
type promise struct {
	from int
	keep Promise
}

// chapter is a call, for the golden trace.
type chapter struct {
	from int
	name string
}

func newStory(seed uint64) *Story {
	s := &Story{Mem: disk.NewMem(), Rand: rand.New(rand.NewPCG(seed, 4)), Now: kafka.Instant{WallMs: 1_000_000}}
	s.journal = s.Mem.Record()
	return s
}

// Promise makes a promise that holds from here on, in place of the one before.
func (s *Story) Promise(p Promise) { s.promises = append(s.promises, promise{s.journal.Len(), p}) }

// Chapter names what comes in the golden trace.
func (s *Story) Chapter(format string, args ...any) {
	s.chapters = append(s.chapters, chapter{s.journal.Len(), fmt.Sprintf(format, args...)})
}

// Tell tells a scenario with a seed.
func Tell(sc Scenario, seed uint64) (*Story, error) {
	s := newStory(seed)
	if err := sc.Tell(s); err != nil {
		return nil, fmt.Errorf("%s:%d: %w", sc.Name, seed, err)
	}
	return s, nil
}

// moment is a crash: after so many events, under a promise.
type moment struct {
	events  int
	promise int
}

// moments lists where crashes are worth trying: before each sync, when most is unsynced, and at the end of each promise.
// What a crash between two of them leaves, a crash at the later one leaves, too.
func (s *Story) moments() (out []moment) {
	end := s.journal.Len()
	for i, p := range s.promises {
		to := end
		if i+1 < len(s.promises) {
			to = s.promises[i+1].from
		}
		for n, e := range s.journal.Events(p.from, to) {
			if !e.Changes() && n > 0 {
				out = append(out, moment{p.from + n, i})
			}
		}
		out = append(out, moment{to, i})
	}
	return out
}
