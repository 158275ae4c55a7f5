package log

import (
	"errors"
	"slices"
	"sync"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/log/clean"
	"github.com/milena-io/milena/internal/log/segment"
)

// swap puts an output of a compaction in the place of its sources, in four steps, each of which is durable before the next
// (LocalLog.replaceSegments of Apache Kafka 4.3, which does not wait between them). The output is there durably, each file
// as .cleaned, before the first is .swap: a crash that leaves one of them .cleaned leaves the sources; after it, the next
// start goes on from there (finishSwaps). The sources' names are gone durably before the output takes its own, so that no
// crash leaves both, and the output's log has its name durably before the files beside it have theirs, so that no crash
// leaves them beside a .log.swap, where they would go as the sources'.
//
// The steps are taken with the writer's mutex, and the names are synced without it: appends don't wait for that. Who is about
// to change the segments in between takes the rest of the steps first (settleSwap), and so does the next compaction: its files,
// as .cleaned, would say that those of this one have not taken any place. A step that failed, for want of room or of
// descriptors, is taken again; meanwhile the swap keeps the sources' files open, which have no names.
type swap struct {
	l        *Log
	sources  []*segment.Segment
	w        *segment.Written
	steps    int // that were taken
	removals []func() error
	looks    []segment.Look // of the compaction, when that ended before the swap
}

// replace is a swap from its beginning to its end.
func (c *Compaction) replace(from []clean.Source, w *segment.Written) error {
	l := c.l
	i := sourceOf(c.sources, from[0].Base)
	s := &swap{l: l, sources: c.sources[i : i+len(from)], w: w}
	if err := c.seal(s); err != nil {
		return err
	}
	if err := dirOf(l).Sync(); err != nil { // a file that is .swap tells nothing while its log may yet be .cleaned, or not there
		return err
	}
	for {
		over, err := c.step(s)
		if err != nil || over {
			return err
		}
		if err := dirOf(l).Sync(); err != nil {
			return err
		}
	}
}

// seal writes the seal of an output, beside its other files. Like every seal it may be lost in a crash.
func (c *Compaction) seal(s *swap) error {
	l := c.l
	l.mu.RLock()
	at := slices.Index(l.segments, s.sources[0]) + len(s.sources)
	if at < len(s.sources) || at >= len(l.segments) {
		l.mu.RUnlock()
		return errMoved
	}
	next := l.segments[at].Base()
	l.mu.RUnlock()
	seal := segment.Seal{Base: s.w.Base, End: s.w.Next, Next: next, Size: s.w.Size, Stretches: s.w.Stretches}
	path := l.options.Path + "/" + segment.Name(s.w.Base, segment.SealSuffix) + segment.CleanedSuffix
	if err := l.options.FS.Remove(path); err != nil && !errors.Is(err, disk.ErrNotExist) { // not to be synced, so not to be overwritten
		return fault.Storage(compactOp, err)
	}
	return writeFile(l.options.FS, path, seal.Append(nil))
}

// step takes one step of a swap, unless somebody else has taken them all.
func (c *Compaction) step(s *swap) (over bool, err error) {
	c.writer.Lock()
	defer c.writer.Unlock()
	l := c.l
	switch {
	case l.closed:
		return false, fault.Shutdown(compactOp) // what is left to do the next start does
	case s.steps == 0 && !c.standing(s.sources):
		return false, errMoved
	case s.steps == 0:
		return false, c.offer(s)
	case l.compacted.swap != s:
		return true, nil
	}
	return s.next()
}

// offer takes the first step. When it fails nothing of the output stays .swap, or else its .cleaned files stay beside that and
// tell the next start what it is worth.
func (c *Compaction) offer(s *swap) error {
	l := c.l
	err := clean.Offer(l.options.FS, l.options.Path, s.w)
	if err == nil {
		l.compacted.swap, s.steps = s, 1
		return nil
	}
	if clean.Withdraw(l.options.FS, l.options.Path, s.w) != nil || dirOf(l).Sync() != nil {
		c.halfNamed = true
	}
	return err
}

// settleBefore ends a swap or a truncation that failed half-way, before another compaction begins.
func (l *Log) settleBefore(writer sync.Locker) error {
	writer.Lock()
	defer writer.Unlock()
	if l.closed {
		return fault.Shutdown(compactOp)
	}
	if err := l.settleCut(); err != nil {
		return err
	}
	return l.settleSwap()
}

// keep takes over the files of the sources from a compaction that ends.
func (s *swap) keep(c *Compaction) { s.looks, c.looks = append(s.looks, c.looks...), nil }

// release lets go of them.
func (s *swap) release() {
	for i := range s.looks {
		s.looks[i].Release()
	}
	s.looks = nil
}

// settleSwap ends a swap that is under way, on the caller's time.
func (l *Log) settleSwap() error {
	for s := l.compacted.swap; s != nil; {
		if err := dirOf(l).Sync(); err != nil {
			return err
		}
		if over, err := s.next(); err != nil || over {
			return err
		}
	}
	return nil
}

// next takes the next step after the first; what the one before it did is durable.
func (s *swap) next() (over bool, err error) {
	switch s.steps {
	case 1:
		err = s.takeNames()
	case 2:
		err = s.giveName()
	case 3:
		err = s.publish()
	default:
		for _, remove := range s.removals {
			s.l.later(remove)
		}
		s.release()
		s.l.compacted.swap = nil
		return true, nil
	}
	if err == nil {
		s.steps++
	}
	return false, err
}

// takeNames takes the sources' names away.
func (s *swap) takeNames() error {
	for _, each := range s.sources[len(s.removals):] {
		s.l.mu.Lock()
		remove, err := each.Delete()
		s.l.mu.Unlock()
		if err != nil {
			return err
		}
		s.removals = append(s.removals, remove)
	}
	return nil
}

// giveName gives the output's log its name. Whoever reads the sources, the compaction among them, goes on with their files,
// and asks nothing more by their names.
func (s *swap) giveName() error {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	for _, each := range s.sources {
		each.Retire()
	}
	return clean.TakeLog(s.l.options.FS, s.l.options.Path, s.w)
}

// publish removes the snapshots between the sources, gives the output its other names and shows it to readers.
func (s *swap) publish() error {
	l := s.l
	for _, each := range s.sources[1:] {
		if err := l.snapshots.remove(each.Base()); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := clean.TakeRest(l.options.FS, l.options.Path, s.w); err != nil {
		return err
	}
	at := slices.Index(l.segments, s.sources[0])
	s.w.Next = l.segments[at+len(s.sources)].Base()
	replaced := slices.Clone(l.segments[:at])
	replaced = append(replaced, s.w.Of(l.options.FS, l.options.Path))
	l.segments = append(replaced, l.segments[at+len(s.sources):]...)
	return nil
}
