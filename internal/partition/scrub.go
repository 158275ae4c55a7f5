package partition

import (
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/log"
)

// Scrub is a scrub of a partition's log, stepped by its owner.
type Scrub struct {
	p     *Partition
	scrub *log.Scrub
	of    *log.Log
}

// NewScrub begins one; the log is looked for by the first step.
func NewScrub(p *Partition) *Scrub { return &Scrub{p: p} }

// Step reads about so many bytes without the partition's mutex. A Stop waits for a step that is under way; after it, and
// when the log is another one or not open, the error is fault.Closed. A device that fails costs the log directory, as it
// does when a client reads.
func (s *Scrub) Step(bytes int64) (done bool, read int64, err error) {
	p := s.p
	p.mu.Lock()
	l := p.log
	if p.gone != nil || l == nil || p.ending.scrubbing || s.of != nil && s.of != l {
		p.mu.Unlock()
		return true, 0, fault.Shutdown("partition.Scrub")
	}
	p.ending.scrubbing = true
	p.mu.Unlock()
	if s.scrub == nil {
		s.of, s.scrub = l, log.NewScrub(l)
	}
	done, read, err = s.scrub.Step(bytes)
	if err != nil {
		unreadable(p, err)
	}
	p.mu.Lock()
	p.ending.scrubbing = false
	calls := p.ended()
	if err != nil && (p.gone != nil || p.log != l) {
		err = fault.Shutdown("partition.Scrub") // what failed were files that are gone
	}
	p.mu.Unlock()
	run(calls)
	return done, read, err
}

// Damages counts the stretches that do not check, in the segments that were read to their end.
func (s *Scrub) Damages() int {
	if s.scrub == nil {
		return 0
	}
	return s.scrub.Damages
}
