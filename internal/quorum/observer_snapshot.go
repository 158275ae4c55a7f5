package quorum

import (
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// observed is the snapshots of an observer.
type observed struct {
	download *download // one that is being fetched
	bytes    int64     // pulled since the newest
	busy     bool      // a downloaded one is on its way to the disk: nothing is asked meanwhile
	saving   bool      // one of this node's own is
}

// begin starts a download.
func (ob *Observer) begin(id SnapshotID, epoch kafka.LeaderEpoch) error {
	if id.End < ob.committed {
		return fault.Corruption("quorum.observe", "the leader offers a snapshot that ends at %d, everything below %d was committed", id.End, ob.committed)
	}
	d, err := beginDownload(ob.o.FS, ob.o.Dir, id, epoch)
	if err == nil {
		ob.log("metadata snapshot is fetched", "offset", id.End, "epoch", id.Epoch)
		ob.snaps.download = d
	}
	return err
}

// chunked takes a piece. A leader that has not got the snapshot any more, or a piece that does not fit, ends the download;
// the next Fetch names another.
func (ob *Observer) chunked(asked uint64, c Chunk, err error) {
	d := ob.snaps.download
	if asked == ob.asked && err != nil && (fault.CodeOf(err) == kafka.ErrSnapshotNotFound || fault.CodeOf(err) == kafka.ErrPositionOutOfRange) {
		ob.drop()
	}
	if !ob.heard(asked, c.Leader, c.LeaderAt, c.Epoch, err) {
		return
	}
	whole, err := d.take(c)
	switch {
	case fault.IsKind(err, fault.Corrupt):
		ob.drop()
		ob.again(asked)
	case err != nil:
		ob.fail(err)
	case !whole:
		ob.ask()
	default:
		ob.snaps.download, ob.snaps.busy = nil, true
		ob.o.World.Go(func() {
			ref, err := ob.finish(d)
			ob.locked(func() { ob.downloaded(ref, err) })
		})
	}
}

// drop forgets a download.
func (ob *Observer) drop() {
	if ob.snaps.download != nil {
		ob.snaps.download.drop()
		ob.snaps.download = nil
	}
}

// finish makes a downloaded snapshot durable, checks it and gives it its name.
func (ob *Observer) finish(d *download) (snapshotRef, error) {
	s, ref, err := d.seal()
	if err != nil {
		return ref, err
	}
	if err := s.Close(); err != nil {
		return ref, fault.Storage("quorum.observe", err)
	}
	return ref, d.publish()
}

// downloaded puts the leader's snapshot in the place of this node's log.
func (ob *Observer) downloaded(ref snapshotRef, err error) {
	ob.snaps.busy = false
	if fault.IsKind(err, fault.Corrupt) {
		ob.log("metadata snapshot refused", "error", err)
		ob.again(ob.asked)
		return
	}
	if err == nil {
		if err = ob.o.Log.Restart(ref.offset); err != nil {
			err = fault.Storage("quorum.observe", err)
		}
	}
	if err == nil {
		err = ob.replaceSnapshot(ref)
	}
	if err != nil {
		ob.fail(err)
		return
	}
	ob.store.pos = resetPositions(ref.index+1, ref.offset, uint64(ref.epoch))
	ob.store.tail, ob.store.kraft, ob.committed, ob.bare = tail{}, ref.kraft, ref.offset, false
	ob.voters = ref.voters
	ob.log("metadata snapshot of the leader installed", "offset", ref.offset, "epoch", ref.epoch)
	ob.wake()
	ob.ask()
}

// replaceSnapshot makes a durable snapshot the only one.
func (ob *Observer) replaceSnapshot(ref snapshotRef) error {
	refs, err := listSnapshots(ob.o.FS, ob.o.Dir)
	if err != nil {
		return err
	}
	ob.store.snap, ob.snaps.bytes = ref, 0
	return ob.dropOlder(refs)
}

// maybeSnapshot writes the state down when enough was pulled since the last time, and drops the log before it. Where the
// voters changed between the state and the log's end it waits: a snapshot names the voters of its place.
func (ob *Observer) maybeSnapshot() error {
	if ob.snaps.bytes < ob.o.Config.SnapshotBytes || ob.o.Image == nil || ob.snaps.saving {
		return nil
	}
	img, pos := ob.o.Image(), &ob.store.pos
	next, ok := pos.indexOf(img.End)
	if !ok || img.End <= ob.store.snap.offset || img.End > ob.committed || len(pos.changes) > 0 && pos.changes[len(pos.changes)-1] >= next {
		return nil
	}
	term, ok := pos.termOf(next - 1)
	if !ok {
		return nil
	}
	ref := snapshotRef{offset: img.End, epoch: kafka.LeaderEpoch(term), index: next - 1, kraft: ob.store.kraft, voters: ob.voters, wallMs: img.WallMs}
	ob.snaps.saving = true
	ob.o.World.Go(func() {
		var err error
		ref.size, err = writeSnapshot(ob.o.FS, ob.o.Dir, ref, img.Level, img.Records)
		ob.locked(func() {
			ob.snaps.saving = false
			if err != nil {
				err = fault.Storage("quorum.observe", err)
			} else if ref.offset > ob.store.snap.offset { // else the leader's own came in between
				err = ob.trim(ref)
			}
			if err != nil {
				ob.fail(err)
			}
		})
	})
	return nil
}

// trim drops what the new snapshot covers.
func (ob *Observer) trim(ref snapshotRef) error {
	if err := ob.replaceSnapshot(ref); err != nil {
		return err
	}
	ob.store.pos.forget(ref.index + 1)
	if _, err := ob.o.Log.Trim(ob.o.World.Now(), ref.offset); err != nil {
		return fault.Storage("quorum.observe", err)
	}
	ob.log("metadata snapshot", "offset", ref.offset, "epoch", ref.epoch, "bytes", ref.size)
	return nil
}
