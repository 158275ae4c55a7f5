package log

import (
	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/producer"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/record"
)

// Recovery is what Open found and did, for the caller to log.
type Recovery struct {
	Clean           bool // everything was believed
	SegmentsChecked int
	SegmentsDropped int
	BytesCut        int64
	CutAt           kafka.Offset // where the log ends since; NoOffset when nothing was cut
	Reason          error        // why there; nil when nothing was cut
	Replayed        int          // batches read to bring producer state up to the end
	Doubt           error        // why the log start may be another than it was; nil for none
}

// recover brings segments, epochs and producers into one state at one end.
//
// After a clean close all files are complete, and what lies beyond the last index entry and the last snapshot is all
// that is read. Otherwise segments from the recovery point on are walked: batches above it must check, and the log ends
// at the first that does not, as the contract of acknowledgements allows; an end below the recovery point is lost data.
func (l *Log) recover(rebuildEpochs bool) error {
	l.Recovered.CutAt = kafka.NoOffset
	if len(l.segments) == 0 {
		at := l.firstOffset()
		if l.options.RecoveryPoint > at && !l.options.AcceptLoss {
			return l.lost(at)
		}
		if len(l.snapshots.list) > 0 {
			if err := l.dropSnapshots(); err != nil {
				return err
			}
			if err := dirOf(l).Sync(); err != nil {
				return err
			}
		}
		if err := l.found(at); err != nil {
			return err
		}
		l.epochs.Clear()
		return l.settleLoss()
	}
	clean := l.options.Clean && !rebuildEpochs
	if clean {
		last := l.active()
		end, err := last.End(newWindow())
		if err != nil && !fault.IsKind(err, fault.Corrupt) {
			return err
		}
		// A clean stop leaves the recovery point at the end; where they differ one of them is wrong.
		if clean = err == nil && (end == l.options.RecoveryPoint || l.options.RecoveryPoint == 0); clean {
			last.SetNext(end)
		}
	}
	l.start = max(l.options.LogStart, l.segments[0].Base())
	if clean {
		l.Recovered.Doubt = l.startInDoubt()
	}
	from := l.active().Next()
	first := len(l.segments)
	if !clean {
		// From the segment before a recovery point at its end, too: what completed that one may be synced only with the
		// first records of the next.
		first = l.floor(l.options.RecoveryPoint - 1)
		from = l.segments[first].Base()
	}
	if !clean && !l.options.Shared.Settled {
		if err := renew(l.options.FS, l.options.Path, l.options.RecoveryPoint); err != nil {
			return err
		}
	}
	if err := l.replay(from, rebuildEpochs); err != nil {
		return err
	}
	if !clean {
		if !rebuildEpochs {
			l.known = l.epochs.Snapshot()
		}
		l.epochs.TruncateFromEnd(from)
		// What was written of later states may belong to a history that a crash has taken back.
		if err := l.snapshots.removeAbove(from); err != nil {
			return err
		}
		if err := l.check(first); err != nil {
			return err
		}
	}
	l.Recovered.Clean = clean
	return l.settleRecovery(clean)
}

// startInDoubt holds the log start against the epochs, which begin there after a clean stop: the checkpoint has no checksum, and
// a later start hides records. After a crash it may just be the newer of the two.
func (l *Log) startInDoubt() error {
	entries := l.epochs.Entries()
	if len(entries) == 0 || l.start <= entries[0].Start {
		return nil
	}
	return fault.Corruption("log.Open", "%s starts at offset %d, its leader epochs at %d: %s may be damaged", l.options.Path, l.start, entries[0].Start, logStartFile)
}

// found makes the first segment of an empty log.
func (l *Log) found(at kafka.Offset) error {
	s, err := l.create(at, l.options.Now.WallMs)
	if err != nil {
		return err
	}
	l.segments = []*segment.Segment{s}
	l.start, l.end = at, at
	l.begin(at)
	l.activate(s)
	l.add(at, l.parent(), dirOf(l))
	return nil
}

// parent returns what makes the name of the log's directory durable.
func (l *Log) parent() disk.Syncer {
	parent, _, _ := cutLast(l.options.Path, "/")
	return dirSyncer{l.options.FS, parent}
}

func (l *Log) lost(end kafka.Offset) error {
	return fault.Corruption("log.Open", "%s ends at offset %d, but was durable up to %d: records are gone", l.options.Path,
		end, l.options.RecoveryPoint)
}

// replay brings producer state up to an offset: the newest snapshot at or below it and every batch from there.
func (l *Log) replay(to kafka.Offset, epochs bool) error {
	state, at, err := l.snapshots.newest(to, l.segments[0].Base(), l.options.Now, l.config.ProducerExpirationMs)
	if err != nil {
		return err
	}
	visitFrom := at
	if epochs {
		visitFrom = l.segments[0].Base()
	}
	for _, s := range l.segments {
		if s.Next() <= visitFrom || s.Base() >= to || s.Size() == 0 {
			continue
		}
		k, err := s.Look(l.mu.RLocker(), windowFor(s.Size()))
		if err != nil {
			return err
		}
		err = k.Replay(visitFrom, func(b record.Batch) error {
			if b.BaseOffset() >= to {
				return nil
			}
			if epochs {
				l.epochs.Assign(b.LeaderEpoch(), b.BaseOffset())
			}
			if b.BaseOffset() >= at {
				l.Recovered.Replayed++
				_, _, err := applyProducer(state, b, l.options.Now.WallMs)
				return err
			}
			return nil
		})
		k.Release()
		if err != nil {
			return err
		}
	}
	l.mu.Lock()
	l.producers = state
	l.mu.Unlock()
	return nil
}

// check walks the segments from the first on, and cuts the log where a batch does not check.
func (l *Log) check(first int) error {
	trusted, begun := l.options.RecoveryPoint, first > 0
	for i := first; i < len(l.segments); i++ {
		s := l.segments[i]
		size := s.Size()
		if err := s.ResetAborted(); err != nil {
			return err
		}
		l.Recovered.SegmentsChecked++
		if err := l.unseal(i); err != nil {
			return err
		}
		bad, err := s.Recover(trusted, l.limits(s), windowFor(s.Size()), l.known, func(b record.Batch) error {
			if !begun {
				begun = true
				l.disown(b.LeaderEpoch())
			}
			l.epochs.Assign(b.LeaderEpoch(), b.BaseOffset())
			return l.noteTxn(s, b, l.options.Now.WallMs)
		})
		if err != nil {
			return err
		}
		if bad == nil && s.Size() < size {
			if err := s.CutTail(); err != nil {
				return err
			}
		}
		last := i == len(l.segments)-1
		// Below the recovery point a compaction may have emptied the end of a segment.
		if bad == nil && !last && s.Next() >= trusted && l.segments[i+1].Base() > s.Next() {
			bad = fault.Corruption("log.Open", "segment %d ends at %d and the next begins at %d", s.Base(), s.Next(), l.segments[i+1].Base())
		}
		if bad == nil && !last && l.segments[i+1].Base() < s.Next() {
			bad = fault.Corruption("log.Open", "segment %d ends at %d, after the next begins at %d", s.Base(), s.Next(), l.segments[i+1].Base())
		}
		if bad != nil {
			return l.cutAt(i, bad, size)
		}
		if last && s.Next() < trusted && !l.options.AcceptLoss {
			return l.endEarly(s)
		}
		if last {
			return l.settleTail(s)
		}
		if err := l.sealRecovered(s, l.segments[i+1].Base()); err != nil {
			return err
		}
	}
	return nil
}

// disown forgets epochs that the log did not have since it was begun anew at another offset, and that the file still told: the epoch of
// its first record is older than they are.
func (l *Log) disown(first kafka.LeaderEpoch) {
	if first >= 0 && first < l.epochs.Latest().Epoch {
		l.epochs.Clear()
	}
}

// cutAt ends the log at the end of segment i and drops the segments after it, unless durable records would go.
func (l *Log) cutAt(i int, bad error, size int64) error {
	s := l.segments[i]
	if s.Next() < l.options.RecoveryPoint && !l.options.AcceptLoss {
		lost := l.lost(s.Next())
		lost.(*fault.Error).Cause = bad
		return lost
	}
	l.Recovered.CutAt, l.Recovered.Reason = s.Next(), bad
	l.Recovered.BytesCut = size - s.Size()
	// The last segment goes first: whatever a crash leaves of this, the next recovery cuts at the same place.
	for j := len(l.segments) - 1; j > i; j-- {
		l.Recovered.BytesCut += l.segments[j].Size()
		l.Recovered.SegmentsDropped++
		if err := segment.Remove(l.options.FS, l.options.Path, l.segments[j].Base()); err != nil {
			return err
		}
	}
	l.segments = l.segments[:i+1]
	if err := l.dropStrays(s); err != nil {
		return err
	}
	if err := l.options.FS.SyncDir(l.options.Path); err != nil {
		return fault.Storage("log.Open", err)
	}
	return s.CutTail()
}

// sealRecovered completes a recovered segment that is not the last, and the snapshot at its end, durably: from now on
// the recovery point may pass it.
func (l *Log) sealRecovered(s *segment.Segment, next kafka.Offset) error {
	if err := s.Finish(); err != nil {
		return err
	}
	if err := s.WriteSeal(next); err != nil {
		return err
	}
	syncers, err := l.snapshots.write(next, l.producers)
	if err != nil {
		return err
	}
	for _, y := range append(syncers, s.IndexSyncers()...) {
		if err := y.Sync(); err != nil {
			return err
		}
	}
	if err := l.secure(s); err != nil {
		return err
	}
	s.Seal().Release()
	s.SetNext(next)
	return nil
}

// settleRecovery takes the end from the last segment and fits epochs, snapshots and the log start to it.
func (l *Log) settleRecovery(clean bool) error {
	last := l.active()
	l.end = last.Next()
	if l.start > l.end {
		// The log start was durable and the records below it are gone anyway: begin there.
		if err := l.settleAll(); err != nil {
			return err
		}
		if err := l.restartAt(l.start); err != nil {
			return err
		}
		l.leave(false, false)
	}
	l.epochs.TruncateFromStart(l.start)
	l.epochs.TruncateFromEnd(l.end) // after it: the epoch that held the start has no record left when that is the end
	if err := l.snapshots.removeAbove(l.end); err != nil {
		return err
	}
	if err := l.snapshots.keep(l.segments); err != nil {
		return err
	}
	l.begin(l.end)
	l.activate(l.active())
	if clean {
		return nil
	}
	// Everything up to the end counts as durable from here on. After kill -9 names and epochs need not be, and before the
	// first flush not even whose log this is.
	if l.options.RecoveryPoint == 0 && !(l.options.Shared.Settled && len(l.chores) == 0) {
		if err := l.identity().Sync(); err != nil {
			return err
		}
	}
	if !l.options.Shared.Settled {
		if err := l.parent().Sync(); err != nil {
			return err
		}
	}
	if !l.options.Shared.Settled || l.snapshots.changed || l.epochs.Shown() < l.options.RecoveryPoint {
		if err := l.saveNames(); err != nil {
			return err
		}
	}
	if err := l.settleLoss(); err != nil {
		return err
	}
	l.active().Rest() // what is durable needs no descriptor; there may be more logs to recover than descriptors
	return nil
}

// secure makes the records durable that recovery found in a segment. Where all that was written is, it only asks whether
// writing them had failed.
func (l *Log) secure(s *segment.Segment) error {
	if l.options.Shared.Settled {
		return s.Written()
	}
	return s.Sync()
}

// settleLoss takes the recovery point back to the end of a log that was opened although it has lost durable records.
func (l *Log) settleLoss() error {
	if l.options.RecoveryPoint <= l.end {
		return nil
	}
	return l.lowerRecoveryPoint(l.end)
}

// applyProducer takes a batch into producer state and returns the transaction it ended, if it did.
func applyProducer(state *producer.State, b record.Batch, nowMs int64) (ended producer.Txn, did bool, err error) {
	if b.ProducerID() == kafka.NoProducerID {
		return producer.Txn{}, false, nil
	}
	if !b.IsControl() {
		state.Apply(b, nowMs)
		return producer.Txn{}, false, nil
	}
	m, ok, err := markerOf(b)
	if err != nil || !ok {
		return producer.Txn{}, false, err
	}
	ended, did = state.ApplyMarker(b, m, nowMs)
	return ended, did, nil
}

// noteTxn takes a batch into producer state and, when it aborts a transaction, into the segment's transaction index.
func (l *Log) noteTxn(s *segment.Segment, b record.Batch, nowMs int64) error {
	ended, did, err := applyProducer(l.producers, b, nowMs)
	if err != nil || !did || !ended.Abort {
		return err
	}
	s.AddAborted(abortedOf(l.producers, ended))
	return nil
}

func abortedOf(state *producer.State, ended producer.Txn) segment.Aborted {
	return segment.Aborted{
		Producer: ended.Producer, First: ended.First, Last: ended.Last, LastStable: state.FirstOpen(ended.Last + 1),
	}
}
