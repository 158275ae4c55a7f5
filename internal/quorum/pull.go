package quorum

import (
	"errors"
	"io"
	"slices"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/world"
)

// Pull is what an observer asks of the leader: the fields of a Fetch of __cluster_metadata-0 that count (KIP-595).
type Pull struct {
	Observer Key
	Epoch    kafka.LeaderEpoch // that the observer believes the leader to lead; -1 when it knows of none
	From     kafka.Offset
	// LastEpoch is the epoch of the batch before From. An observer that has nothing, not even the beginning, says -1 and is
	// given a snapshot.
	LastEpoch kafka.LeaderEpoch
	MaxBytes  int
	MaxWait   time.Duration // how long an answer that would be empty is held back
}

// Pulled is the answer: batches, or one of the two reasons why there are none. Who leads is told with an error, too.
type Pulled struct {
	Leader        kafka.NodeID // NoNode when nobody is known to lead
	LeaderAt      []record.Endpoint
	Epoch         kafka.LeaderEpoch
	HighWatermark kafka.Offset
	LogStart      kafka.Offset
	Batches       []record.Batch // whole, adjacent, committed
	Diverging     *EpochEnd      // the observer's log is not the leader's: it is to truncate
	Snapshot      *SnapshotID    // the observer is to take this snapshot first
}

// EpochEnd says where an epoch ends in the leader's log: the newest that is not above the one asked for.
type EpochEnd struct {
	Epoch kafka.LeaderEpoch
	End   kafka.Offset
}

// SnapshotID names a snapshot as its file does.
type SnapshotID struct {
	End   kafka.Offset
	Epoch kafka.LeaderEpoch
}

// pulls is the observers whose answers would be empty.
type pulls struct{ parked []*pull }

type pull struct {
	ask   Pull
	timer world.Timer
	done  func(Pulled, error)
}

// Fetch answers an observer, on the leader. It only ever gives what is committed: an observer has nothing to take back, but
// for what a disk was restored to. done is called once, when there is something, or after MaxWait.
func (q *Quorum) Fetch(a Pull, done func(Pulled, error)) {
	q.locked(func() {
		out, err := q.pulled(a)
		if err == nil {
			q.observed(a.Observer, a.From)
		}
		switch {
		case err != nil || out.Diverging != nil || out.Snapshot != nil:
			q.later(func() { done(out, err) })
		case a.From < q.committed:
			q.later(func() { q.fill(a, out, done) })
		case a.MaxWait <= 0:
			q.later(func() { done(out, nil) })
		default:
			p := &pull{ask: a, done: done}
			p.timer = q.o.World.After(a.MaxWait, func() { q.locked(func() { q.watch.pulls.expire(q, p) }) })
			q.watch.pulls.parked = append(q.watch.pulls.parked, p)
		}
	})
}

// pulled is an answer before there are batches in it.
func (q *Quorum) pulled(a Pull) (Pulled, error) {
	const op = "quorum.Fetch"
	out, err := q.led(op, a.Epoch)
	if err != nil {
		return out, err
	}
	pos := &q.engine.store.pos
	out.HighWatermark, out.LogStart = q.committed, pos.start
	snap := &SnapshotID{q.engine.store.snap.offset, q.engine.store.snap.epoch}
	if a.LastEpoch < 0 || a.From < pos.start {
		out.Snapshot = snap
		return out, nil
	}
	epoch, end, ok := pos.endOf(uint64(a.LastEpoch))
	switch {
	case !ok:
		out.Snapshot = snap
	case epoch != uint64(a.LastEpoch) || end < a.From:
		out.Diverging = &EpochEnd{kafka.LeaderEpoch(epoch), end}
	}
	return out, nil
}

// led refuses who does not ask the leader, or believes in another epoch, and says who leads.
func (q *Quorum) led(op string, epoch kafka.LeaderEpoch) (Pulled, error) {
	role := &q.lead.role
	out := Pulled{Leader: kafka.NoNode, Epoch: kafka.LeaderEpoch(role.term)}
	if lead, ok := q.voters.byRaftID(role.lead); ok {
		out.Leader, out.LeaderAt = lead.ID, lead.Endpoints
	}
	switch {
	case q.err != nil:
		return out, q.err
	case epoch >= 0 && uint64(epoch) < role.term:
		return out, fault.New(op, kafka.ErrFencedLeaderEpoch, "epoch %d is over, this is epoch %d", epoch, role.term)
	case epoch >= 0 && uint64(epoch) > role.term:
		return out, fault.New(op, kafka.ErrUnknownLeaderEpoch, "epoch %d is not known here yet, this is epoch %d", epoch, role.term)
	case !role.leading:
		return out, fault.New(op, kafka.ErrNotLeaderOrFollower, "this node does not lead the metadata quorum")
	}
	return out, nil
}

// fill reads the batches of an answer. The log may have been trimmed since it was begun.
func (q *Quorum) fill(a Pull, out Pulled, done func(Pulled, error)) {
	got, err := q.Committed(a.From, a.MaxBytes)
	if s := got.Snapshot; s != nil {
		out.Snapshot = &SnapshotID{s.End, s.Epoch}
		err = errors.Join(err, s.Close())
	}
	out.Batches, out.HighWatermark = got.Batches, got.End
	done(out, err)
}

// wake answers whoever waits for what is committed now.
func (p *pulls) wake(q *Quorum) {
	p.parked = slices.DeleteFunc(p.parked, func(w *pull) bool {
		if w.ask.From >= q.committed {
			return false
		}
		w.timer.Stop()
		out, err := q.pulled(w.ask)
		q.later(func() {
			if err != nil || out.Snapshot != nil || out.Diverging != nil {
				w.done(out, err)
				return
			}
			q.fill(w.ask, out, w.done)
		})
		return true
	})
}

// expire answers with nothing.
func (p *pulls) expire(q *Quorum, late *pull) {
	i := slices.Index(p.parked, late)
	if i < 0 {
		return
	}
	p.parked = slices.Delete(p.parked, i, i+1)
	out, err := q.pulled(late.ask)
	q.later(func() { late.done(out, err) })
}

// end answers all: this node leads no more.
func (p *pulls) end(q *Quorum) {
	for _, w := range p.parked {
		w.timer.Stop()
		out, err := q.pulled(w.ask)
		q.later(func() { w.done(out, err) })
	}
	p.parked = nil
}

// PullChunk asks for a piece of a snapshot: FetchSnapshot (KIP-630).
type PullChunk struct {
	Observer Key
	Epoch    kafka.LeaderEpoch
	Snapshot SnapshotID
	Position int64
	MaxBytes int
}

// Chunk is the piece. Who leads is told with an error, too.
type Chunk struct {
	Leader   kafka.NodeID
	LeaderAt []record.Endpoint
	Epoch    kafka.LeaderEpoch
	Size     int64 // of the whole snapshot, bytes
	Bytes    []byte
}

// FetchSnapshot reads a piece of a snapshot, on the leader. The file is read by the caller's leave: not under the mutex.
func (q *Quorum) FetchSnapshot(a PullChunk, done func(Chunk, error)) {
	const op = "quorum.FetchSnapshot"
	q.locked(func() {
		at, err := q.led(op, a.Epoch)
		out := Chunk{Leader: at.Leader, LeaderAt: at.LeaderAt, Epoch: at.Epoch}
		i := slices.IndexFunc(q.snaps.refs, func(r snapshotRef) bool {
			return r.offset == a.Snapshot.End && r.epoch == a.Snapshot.Epoch
		})
		if err == nil && i < 0 {
			err = fault.New(op, kafka.ErrSnapshotNotFound, "there is no snapshot %s here", snapshotName(a.Snapshot.End, a.Snapshot.Epoch))
		}
		if err != nil {
			q.later(func() { done(out, err) })
			return
		}
		q.snaps.refs[i].asked = q.o.World.Now().Mono
		ref := q.snaps.refs[i]
		q.later(func() {
			out.Size, out.Bytes, err = ref.chunk(q.o.FS, q.o.Dir, a.Position, a.MaxBytes)
			done(out, err)
		})
	})
}

// chunk reads a piece of the file.
func (ref snapshotRef) chunk(fsys disk.FS, dir string, position int64, maxBytes int) (size int64, b []byte, err error) {
	const op = "quorum.FetchSnapshot"
	s, err := ref.open(fsys, dir)
	if errors.Is(err, disk.ErrNotExist) { // dropped since it was looked for
		return 0, nil, fault.New(op, kafka.ErrSnapshotNotFound, "snapshot %s is gone", snapshotName(ref.offset, ref.epoch))
	}
	if err != nil {
		return 0, nil, fault.Storage(op, err)
	}
	if position < 0 || position >= s.size {
		_ = s.Close() // nothing was read
		return s.size, nil, fault.New(op, kafka.ErrPositionOutOfRange, "byte %d of a snapshot of %d bytes", position, s.size)
	}
	b = make([]byte, min(int64(max(maxBytes, 1)), s.size-position, chunkBytes))
	_, err = s.file.ReadAt(b, position)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if err = errors.Join(err, s.Close()); err != nil {
		return s.size, nil, fault.Storage(op, err)
	}
	return s.size, b, nil
}

// chunkBytes is the most of a snapshot that one answer holds.
const chunkBytes = 1 << 20
