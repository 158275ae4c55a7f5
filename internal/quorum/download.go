package quorum

import (
	"errors"
	"path"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// fetchedSuffix ends the name of a file in which a snapshot of the leader's gathers: another one than that of a snapshot that
// this node writes itself, perhaps at the same time and place. A start removes both.
const fetchedSuffix = ".fetched" + partSuffix

// download is a snapshot of the leader's that comes in pieces (FetchSnapshot, KIP-630). Nothing rests on it before it is sealed.
type download struct {
	fs    disk.FS
	dir   string
	id    SnapshotID
	epoch kafka.LeaderEpoch // of the leader that gives it; another one's file may have other bytes
	file  disk.File
	got   int64
	size  int64 // of the whole, as the first piece says; 0 before
}

func beginDownload(fsys disk.FS, dir string, id SnapshotID, epoch kafka.LeaderEpoch) (*download, error) {
	d := &download{fs: fsys, dir: dir, id: id, epoch: epoch}
	var err error
	if d.file, err = fsys.Open(d.name()+fetchedSuffix, disk.Write|disk.Create|disk.Trunc); err != nil {
		return nil, fault.Storage("quorum.download", err)
	}
	return d, nil
}

func (d *download) name() string { return path.Join(d.dir, snapshotName(d.id.End, d.id.Epoch)) }

// take writes the next piece down, and tells whether it was the last. One that does not fit is fault.Corrupt.
func (d *download) take(c Chunk) (whole bool, err error) {
	const op = "quorum.download"
	n := int64(len(c.Bytes))
	if d.size == 0 {
		d.size = c.Size
	}
	if n == 0 || c.Size != d.size || n > d.size-d.got || c.Epoch != d.epoch {
		return false, fault.Corruption(op, "%d bytes of epoch %d at byte %d of a snapshot of %d bytes, which was one of %d bytes in epoch %d",
			n, c.Epoch, d.got, c.Size, d.size, d.epoch)
	}
	if _, err := d.file.WriteAt(c.Bytes, d.got); err != nil {
		return false, fault.Storage(op, err)
	}
	d.got += n
	return d.got == d.size, nil
}

// seal makes a whole snapshot durable and checks all of it: each checksum, the order, header and footer. It is opened for
// reading, and to be closed.
func (d *download) seal() (*Snapshot, snapshotRef, error) {
	const op = "quorum.download"
	if err := errors.Join(d.file.Sync(), d.file.Close()); err != nil {
		return nil, snapshotRef{}, fault.Storage(op, err)
	}
	f, err := d.fs.Open(d.name()+fetchedSuffix, 0)
	if err != nil {
		return nil, snapshotRef{}, fault.Storage(op, err)
	}
	s := &Snapshot{End: d.id.End, Epoch: d.id.Epoch, file: f, size: d.got, close: f.Close}
	ref, err := s.ref()
	if err != nil {
		return nil, ref, errors.Join(err, s.Close())
	}
	return s, ref, nil
}

// publish gives a sealed snapshot its name.
func (d *download) publish() error {
	if err := publish(d.fs, d.dir, d.name()+fetchedSuffix, d.name()); err != nil {
		return fault.Storage("quorum.download", err)
	}
	return nil
}

// drop forgets a download that was not sealed.
func (d *download) drop() {
	_ = d.file.Close() // nothing rests on it
	d.remove()
}

// remove takes the file away; what stays of it the next start removes.
func (d *download) remove() { _ = d.fs.Remove(d.name() + fetchedSuffix) }
