package log

import (
	"slices"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/record"
)

const mendOp = "log.Mend"

// Mend puts batches that another replica has where this log is damaged from an offset on (R15), durably, and returns the offset
// that it is mended up to. The bytes that were there are kept in a file beside the segment. It never shortens the log, and what
// it writes over was served to nobody. Refusals are fault.Corrupt and change nothing: the batches don't fit the place, or the
// log was compacted and they are in another state than what was here.
//
// The writer calls it. It waits for the disk, as a truncation does.
func Mend(l *Log, from kafka.Offset, batches []byte) (next kafka.Offset, err error) {
	if l.closed {
		return from, fault.Shutdown(mendOp)
	}
	if err := l.settleCut(); err != nil {
		return from, err
	}
	if err := l.settleSwap(); err != nil {
		return from, err
	}
	s := l.segments[l.floor(from)]
	m, err := s.Mend(from, batches, l.config.Accept.Compacted || l.compacted.get() > 0)
	if err != nil {
		return from, err
	}
	if err := l.fits(s, m); err != nil {
		return from, err
	}
	grows := m.Grows()
	if grows {
		if err := s.Unseal(); err != nil {
			return from, err
		}
	} else if _, err := l.epochs.Save(); err != nil { // what was learned: a start reads no epochs from what is below the recovery point
		return from, err
	}
	if err := dirOf(l).Sync(); err != nil { // a seal of before must not speak of what is there afterwards
		return from, err
	}
	if err := m.Write(); err != nil {
		return from, err
	}
	l.mu.Lock()
	next = m.Publish()
	l.cuts++ // readers that met the damage ask again, and a compaction begins anew
	l.mu.Unlock()
	if !grows {
		return next, nil
	}
	if _, err := l.epochs.Save(); err != nil {
		return next, err
	}
	d := m.Damage()
	if !m.Whole() {
		if err := s.Lost(next, d.Next, d.Why); err != nil {
			return next, err
		}
	}
	if err := l.forgetLost(d.First, next); err != nil {
		return next, err
	}
	return next, l.looked(s, func(k *segment.Look) error { return k.RebuildIndexes() })
}

// fits holds batches against what the log knows of the offsets: their epochs, which may have been lost with the records, and the
// transactions that were aborted there. What the transaction index has lost is not to be learned from the batches alone, and a reader would be given what was aborted.
func (l *Log) fits(s *segment.Segment, m *segment.Mending) error {
	for rest := m.Batches(); len(rest) > 0; {
		b, more, err := record.Next(rest)
		if err != nil {
			return err
		}
		rest = more
		want := l.epochs.For(b.BaseOffset())
		unknown := m.Grows() || want == kafka.NoLeaderEpoch
		if b.LeaderEpoch() >= 0 && want != b.LeaderEpoch() && !(unknown && l.epochs.Learn(b.LeaderEpoch(), b.BaseOffset())) {
			return fault.Corruption(mendOp, "leader epoch %d is offered at offset %d, where the log has epoch %d", b.LeaderEpoch(), b.BaseOffset(), want)
		}
		if !b.IsControl() {
			continue
		}
		marker, ok, err := markerOf(b)
		if err != nil {
			return err
		}
		if !ok || !marker.Abort {
			continue
		}
		aborted, err := s.Aborted()
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(aborted, func(a segment.Aborted) bool { return a.Last == b.BaseOffset() }) {
			return fault.Corruption(mendOp, "the transaction index of %s has lost what was aborted at offset %d", s.Path(segment.LogSuffix), b.BaseOffset())
		}
	}
	return nil
}

// forgetLost removes what told that records were missing (segment.Lost): they are there, in the segment before.
func (l *Log) forgetLost(from, next kafka.Offset) error {
	entries, err := l.options.FS.List(l.options.Path)
	if err != nil {
		return fault.Storage(mendOp, err)
	}
	var rubbish []string
	for _, e := range entries {
		base, suffix, ok := segment.ParseName(e.Name)
		if !ok || base < from || base >= next || l.segments[l.floor(base)].Base() == base {
			continue
		}
		switch suffix {
		case segment.IndexSuffix, segment.TimeIndexSuffix, segment.TxnIndexSuffix, segment.SealSuffix:
			rubbish = append(rubbish, e.Name)
		}
	}
	if err := removeAll(l.options.FS, l.options.Path, rubbish); err != nil {
		return err
	}
	return dirOf(l).Sync()
}
