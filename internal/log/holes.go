package log

import (
	"slices"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/segment"
)

// hole is a segment whose log is gone while its indexes are there: from its base up to the next segment.
type hole struct{ from, next kafka.Offset }

// holesIn finds the holes between segments. Deletion and recovery take a log away before its indexes, but always at one
// end of the partition; so what is missing in the middle was taken by somebody else. Bases are ascending.
func holesIn(bases, indexes []kafka.Offset) (holes []hole) {
	slices.Sort(indexes)
	for _, at := range slices.Compact(indexes) {
		i, there := slices.BinarySearch(bases, at)
		if there || i == 0 || i == len(bases) {
			continue
		}
		if n := len(holes); n > 0 && holes[n-1].next == bases[i] {
			continue // several that follow each other are one hole
		}
		holes = append(holes, hole{at, bases[i]})
	}
	return holes
}

// holeAfter notes the hole behind a segment if there is one.
func (l *Log) holeAfter(s *segment.Segment, holes []hole) error {
	for _, h := range holes {
		if s.Base() < h.from && h.next == s.Next() {
			return s.Lost(h.from, h.next, fault.Corruption("log.Open", "the log of segment %d is missing in %s", h.from, l.options.Path))
		}
	}
	return nil
}

// dropStrays forgets the holes behind the segment that the log was cut in, and removes the files that told of them: what was
// there was never promised, and other records may stand there soon.
func (l *Log) dropStrays(last *segment.Segment) error {
	last.ForgetBehind()
	entries, err := l.options.FS.List(l.options.Path)
	if err != nil {
		return fault.Storage("log.Open", err)
	}
	for _, e := range entries {
		base, suffix, ok := segment.ParseName(e.Name)
		if !ok || base <= last.Base() {
			continue
		}
		switch suffix {
		case segment.IndexSuffix, segment.TimeIndexSuffix, segment.TxnIndexSuffix, segment.SealSuffix:
			if err := l.options.FS.Remove(l.options.Path + "/" + e.Name); err != nil {
				return fault.Storage("log.Open", err)
			}
		}
	}
	return nil
}

// Damages returns what is known to be damaged, ascending.
func (v *view) Damages() (all []segment.Damage) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	for _, s := range v.segments {
		all = append(all, s.Damages()...)
	}
	return all
}

// settleTail syncs the last segment. One that ends in damage is sealed as it is, so that nothing is appended to that.
func (l *Log) settleTail(s *segment.Segment) error {
	all := s.Damages()
	if n := len(all); n == 0 || all[n-1].End < s.Size() || s.Next() == s.Base() {
		return l.secure(s)
	}
	return l.roundOff(s, s.Next())
}

// endEarly settles a log whose last segment ends below the recovery point, at the end of a batch. Records were durable
// there and are gone, or a bit of the checkpoint is; the high watermark, the names of files and the indexes tell which.
// For records that are gone their offsets are kept: the segment is sealed as it is, and a new one begins behind them.
func (l *Log) endEarly(s *segment.Segment) error {
	at := l.options.RecoveryPoint
	why := fault.Corruption("log.Open", "%s ends at offset %d, but was durable up to %d", l.options.Path, s.Next(), at)
	k, err := s.Look(l.mu.RLocker(), newWindow())
	if err != nil {
		return err
	}
	seen := k.Seen() + 1
	k.Release()
	if max(l.committed(), l.witness, seen) <= s.Next() {
		l.Recovered.CutAt, l.Recovered.Reason = s.Next(), why
		return l.settleTail(s)
	}
	if err := s.Lost(s.Next(), at, why); err != nil {
		return err
	}
	return l.roundOff(s, at)
}

// committed is the checkpointed high watermark, a second witness of what was there.
func (l *Log) committed() kafka.Offset {
	if l.options.Ledger == nil {
		return 0
	}
	return l.options.Ledger.Checkpointed(l.options.Partition).HighWatermark
}

// roundOff seals the last segment and begins another.
func (l *Log) roundOff(s *segment.Segment, at kafka.Offset) error {
	if err := l.sealRecovered(s, at); err != nil {
		return err
	}
	next, err := l.create(at, l.options.Now.WallMs)
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.segments = append(l.segments, next)
	l.mu.Unlock()
	return nil
}
