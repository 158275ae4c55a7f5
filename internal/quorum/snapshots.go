package quorum

import (
	"path"
	"slices"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
)

// bootstrapIndex is the Raft index that the bootstrap snapshot at offset 0 stands for, so that the log's first batch is
// entry 2. A voter with nothing is therefore always sent a snapshot, and learns the members from it.
const bootstrapIndex = 1

// snapshots are the snapshots on disk and when the next one is due.
type snapshots struct {
	q       *Quorum
	refs    []snapshotRef // ascending; the last is the newest and what Raft starts from
	bytes   int64         // committed since the newest
	at      kafka.Instant // when the newest was taken, or the quorum opened
	writing bool
}

// snapshotRef names a snapshot: everything below offset, which Raft knows as everything up to index.
type snapshotRef struct {
	offset kafka.Offset
	epoch  kafka.LeaderEpoch // of the last batch below offset
	index  uint64
	kraft  int16 // kraft.version
	voters voterSet
	wallMs int64         // timestamp of the last batch below offset
	size   int64         // bytes of the file; 0 for the beginning of a log that has no file for it
	asked  time.Duration // monotonic: when somebody last asked this leader for a piece of it; 0 for never
}

// lentFor is how long a snapshot of which a piece was asked for is kept, with the log after it, whatever the retention: who
// fetches a large one would else begin anew with each that is written meanwhile.
const lentFor = 10 * time.Second

// maybeSnapshot starts a snapshot when enough was committed since the last one, or anything was and it is old.
func (s *snapshots) maybeSnapshot() {
	c, now := s.q.o.Config, s.q.o.World.Now()
	due := s.bytes >= c.SnapshotBytes || s.bytes > 0 && now.Since(s.at) >= c.SnapshotInterval
	if !due || s.writing || s.q.err != nil {
		return
	}
	ref, err := s.current()
	if err != nil {
		s.q.fail(err)
		return
	}
	if ref.offset <= s.refs[len(s.refs)-1].offset {
		return
	}
	s.writing, s.bytes, s.at = true, 0, now
	recs, level := s.q.o.Machine.Snapshot(), s.q.o.Machine.Level()
	s.q.o.World.Go(func() {
		size, err := writeSnapshot(s.q.o.FS, s.q.o.Dir, ref, level, recs)
		s.q.locked(func() {
			s.writing = false
			switch {
			case s.q.err != nil:
			case err != nil:
				s.q.fail(fault.Storage("quorum.snapshot", err))
			case ref.offset > s.refs[len(s.refs)-1].offset: // else the leader's own came in between
				ref.size = size
				s.refs = append(s.refs, ref)
				s.q.engine.store.snap = ref
				s.q.log("metadata snapshot", "offset", ref.offset, "epoch", ref.epoch, "bytes", size)
				s.retain()
			}
		})
	})
}

// current names the snapshot of what is committed now.
func (s *snapshots) current() (snapshotRef, error) {
	store := s.q.engine.store
	next, _ := store.pos.indexOf(s.q.committed)
	term, _ := store.pos.termOf(next - 1)
	ref := snapshotRef{offset: s.q.committed, epoch: kafka.LeaderEpoch(term), index: next - 1, kraft: s.q.kraft, voters: s.q.voters}
	last, err := store.Entries(next-1, next, readBytes)
	if err != nil {
		return ref, err
	}
	b, err := batchOf(last[0])
	if err == nil {
		ref.wallMs = b.MaxTimestamp()
	}
	return ref, err
}

// retain drops the oldest snapshots, and the log below the next one, while log and snapshots together are too large or
// the oldest is too old. The newest always stays.
func (s *snapshots) retain() {
	c, now := s.q.o.Config, s.q.o.World.Now()
	store := s.q.engine.store
	start, _ := store.log.Bounds()
	bytes, err := store.log.Trim(now, start)
	for err == nil && len(s.refs) > 1 {
		total := bytes
		for _, r := range s.refs {
			total += r.size
		}
		oldest, next := s.refs[0], s.refs[1]
		if total <= c.RetentionBytes && now.WallMs-oldest.wallMs <= c.Retention.Milliseconds() {
			return
		}
		if oldest.asked > 0 && now.Mono-oldest.asked < lentFor {
			return
		}
		if next.index >= store.pos.first {
			store.pos.forget(next.index + 1)
			bytes, err = store.log.Trim(now, next.offset)
		}
		if err == nil && oldest.size > 0 {
			err = s.q.o.FS.Remove(path.Join(s.q.o.Dir, snapshotName(oldest.offset, oldest.epoch)))
		}
		if err == nil {
			s.refs = slices.Delete(s.refs, 0, 1)
		}
	}
	if err != nil {
		s.q.fail(fault.Storage("quorum.retain", err))
	}
}

// install puts a leader's snapshot in the place of this voter's log and state. The file is durable, and has its name, before
// the log is emptied: what the log held may have been acknowledged.
func (e *engine) install(m *raftpb.Snapshot) error {
	q, a := e.q, e.intake.ready
	must.Hold(a != nil && a.ref.index == m.GetMetadata().GetIndex(), "Raft installs a snapshot of entry %d, which was not fetched", m.GetMetadata().GetIndex())
	e.intake.ready = nil
	ref := a.ref
	if err := a.file.publish(); err != nil {
		return err
	}
	if err := e.store.log.Restart(ref.offset); err != nil {
		return fault.Storage("quorum.install", err)
	}
	e.store.pos = resetPositions(ref.index+1, ref.offset, uint64(ref.epoch))
	e.store.tail = tail{}
	e.store.snap = ref
	for _, old := range q.snaps.refs {
		if old.offset != ref.offset {
			if err := q.o.FS.Remove(path.Join(q.o.Dir, snapshotName(old.offset, old.epoch))); err != nil {
				return fault.Storage("quorum.install", err)
			}
		}
	}
	q.snaps.refs, q.snaps.bytes, q.snaps.at = []snapshotRef{ref}, 0, q.o.World.Now()
	q.setVoters(ref.voters)
	q.committed, q.lead.props.applied = ref.offset, ref.offset
	a.put()
	q.watch.wake(q)
	q.log("metadata snapshot of the leader installed", "offset", ref.offset, "epoch", ref.epoch)
	return nil
}
