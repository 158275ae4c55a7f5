package quorum

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"strconv"
	"strings"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/mutant"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/staterecord"
)

const (
	snapshotSuffix     = ".checkpoint"
	partSuffix         = ".part"
	snapshotBatchBytes = 512 << 10 // records gathered in one batch of a snapshot
	maxBatchRead       = 64 << 20  // no batch of a snapshot is larger
)

// snapshotName is the name of a snapshot of everything below the offset, whose last batch had the epoch.
func snapshotName(end kafka.Offset, epoch kafka.LeaderEpoch) string {
	return fmt.Sprintf("%020d-%010d%s", end, epoch, snapshotSuffix)
}

// parseSnapshotName is the way back; other files in the directory are not ok.
func parseSnapshotName(name string) (end kafka.Offset, epoch kafka.LeaderEpoch, ok bool) {
	stem, ok := strings.CutSuffix(name, snapshotSuffix)
	if !ok || len(stem) != 31 || stem[20] != '-' {
		return 0, 0, false
	}
	o, err := strconv.ParseUint(stem[:20], 10, 63)
	e, err2 := strconv.ParseUint(stem[21:], 10, 31)
	return kafka.Offset(o), kafka.LeaderEpoch(e), err == nil && err2 == nil
}

// writeSnapshot puts a snapshot file in place: the header and the voters as Kafka's first control batch, the records,
// the footer. A crash leaves either no file of the name or the whole one.
func writeSnapshot(fsys disk.FS, dir string, ref snapshotRef, level staterecord.MetadataVersion, recs iter.Seq[Record]) (size int64, err error) {
	name := path.Join(dir, snapshotName(ref.offset, ref.epoch))
	f, err := fsys.Open(name+partSuffix, disk.Write|disk.Create|disk.Trunc)
	if err != nil {
		return 0, err
	}
	w := snapshotWriter{file: f, ref: ref}
	w.put(snapshotHead(ref))
	for r := range recs {
		w.add(encodeRecord(r, level))
	}
	w.flush()
	w.put(snapshotFoot(w.next, ref))
	if w.err == nil {
		w.err = f.Sync()
	}
	if err := errors.Join(w.err, f.Close()); err != nil {
		return 0, err
	}
	return w.pos, publish(fsys, dir, name+partSuffix, name)
}

// publish renames a finished file and makes the name durable.
func publish(fsys disk.FS, dir, part, name string) error {
	if err := fsys.Rename(part, name); err != nil || mutant.On(mutant.SnapshotNameLost) {
		return err
	}
	return fsys.SyncDir(dir)
}

type snapshotWriter struct {
	file   disk.File
	ref    snapshotRef
	pos    int64
	next   kafka.Offset // offsets inside a snapshot count from 0
	values [][]byte
	bytes  int
	err    error
}

func (w *snapshotWriter) put(b record.Batch) {
	if w.err == nil {
		_, w.err = w.file.WriteAt(b, w.pos)
	}
	w.pos += int64(len(b))
	w.next = b.NextOffset()
}

func (w *snapshotWriter) add(value []byte) {
	if w.bytes += len(value) + recordOverhead; w.bytes > snapshotBatchBytes {
		w.flush()
		w.bytes = len(value) + recordOverhead
	}
	w.values = append(w.values, value)
}

func (w *snapshotWriter) flush() {
	if len(w.values) > 0 {
		w.put(dataBatch(w.next, w.ref.epoch, w.ref.wallMs, w.values))
	}
	w.values, w.bytes = nil, 0
}

// scanSnapshot visits the batches of a snapshot and checks them: whole, with right checksums, adjacent, begun by a
// header and ended by a footer.
func scanSnapshot(r io.ReaderAt, size int64, visit func(record.Batch) error) error {
	const op = "quorum.snapshot"
	var head [record.LogOverhead]byte
	var next kafka.Offset
	ended := false
	for pos := int64(0); pos < size; {
		if ended {
			return fault.Corruption(op, "%d bytes after the footer", size-pos)
		}
		if _, err := r.ReadAt(head[:], pos); err != nil {
			return fault.Corruption(op, "byte %d of %d: %v", pos, size, err)
		}
		n := int64(binary.BigEndian.Uint32(head[8:])) + record.LogOverhead
		if n > size-pos || n > maxBatchRead {
			return fault.Corruption(op, "a batch of %d bytes at byte %d of %d", n, pos, size)
		}
		b := make([]byte, n) // the file has them
		if _, err := r.ReadAt(b, pos); err != nil && !errors.Is(err, io.EOF) {
			return fault.Storage(op, err)
		}
		if err := checkBatch(b); err != nil {
			return err
		}
		batch := record.Batch(b)
		if batch.BaseOffset() != next {
			return fault.Corruption(op, "offset %d where %d was due", batch.BaseOffset(), next)
		}
		if pos == 0 && !batch.IsControl() {
			return fault.Corruption(op, "no header")
		}
		ended = isFooter(batch)
		if err := visit(batch); err != nil {
			return err
		}
		next, pos = batch.NextOffset(), pos+n
	}
	if !ended {
		return fault.Corruption(op, "no footer in %d bytes", size)
	}
	return nil
}

// Snapshot is the state of the metadata log below an offset, as records. It stays readable after a newer one replaced
// it, until it is closed.
type Snapshot struct {
	End   kafka.Offset // go on with the log from here
	Epoch kafka.LeaderEpoch
	file  io.ReaderAt
	size  int64
	close func() error
}

// Close lets the file go.
func (s *Snapshot) Close() error { return s.close() }

// Each visits the records in order and stops at the first error.
func (s *Snapshot) Each(visit func(staterecord.Record) error) error {
	return scanSnapshot(s.file, s.size, func(b record.Batch) error {
		if b.IsControl() {
			return nil
		}
		return eachValue(b, func(_ kafka.Offset, value []byte) error {
			rec, err := staterecord.Decode(value)
			if err != nil {
				return err
			}
			return visit(rec)
		})
	})
}

// open opens the snapshot. The beginning of a log of kraft.version 0 has no file: it is made here, and holds nothing.
func (ref snapshotRef) open(fsys disk.FS, dir string) (*Snapshot, error) {
	if ref.size > 0 {
		return openSnapshot(fsys, dir, ref.offset, ref.epoch)
	}
	head := snapshotHead(ref)
	file := bytes.NewReader(append(head, snapshotFoot(head.NextOffset(), ref)...))
	return &Snapshot{End: ref.offset, Epoch: ref.epoch, file: file, size: file.Size(), close: func() error { return nil }}, nil
}

// openSnapshot opens a snapshot file by its place.
func openSnapshot(fsys disk.FS, dir string, end kafka.Offset, epoch kafka.LeaderEpoch) (*Snapshot, error) {
	f, err := fsys.Open(path.Join(dir, snapshotName(end, epoch)), 0)
	if err != nil {
		return nil, err
	}
	size, err := f.Size()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &Snapshot{End: end, Epoch: epoch, file: f, size: size, close: f.Close}, nil
}

// load has a machine make its state of the records; put has it take that.
func (s *Snapshot) load(m Machine) (put func(), err error) {
	stop := errors.New("stopped")
	put = m.Load(s.End, func(yield func(Record) bool) {
		err = s.Each(func(r staterecord.Record) error {
			if !yield(r) {
				return stop
			}
			return nil
		})
		if errors.Is(err, stop) {
			err = nil
		}
	})
	return put, err
}

// ref reads what the header says of the snapshot. One that Apache Kafka wrote names no Raft index; its end offset then
// stands for it, which is never below the number of batches, except for the bootstrap snapshot at offset 0.
func (s *Snapshot) ref() (snapshotRef, error) {
	ref := snapshotRef{offset: s.End, epoch: s.Epoch, index: uint64(s.End) + bootstrapIndex, size: s.size}
	err := scanSnapshot(s.file, s.size, func(b record.Batch) error {
		if b.IsControl() && b.BaseOffset() == 0 {
			return readHead(b, &ref)
		}
		return nil
	})
	return ref, err
}

// Newest opens the newest snapshot of a directory that no quorum has open; nil when there is none.
func Newest(fsys disk.FS, dir string) (*Snapshot, error) {
	if _, err := fsys.Stat(dir); errors.Is(err, disk.ErrNotExist) {
		return nil, nil
	}
	refs, err := listSnapshots(fsys, dir)
	if err != nil || len(refs) == 0 {
		return nil, err
	}
	newest := refs[len(refs)-1]
	return openSnapshot(fsys, dir, newest.offset, newest.epoch)
}

// Controls visits the control records of the snapshot: kraft.version and the voters, where it has them.
func (s *Snapshot) Controls(visit func(t record.ControlType, value []byte) error) error {
	return scanSnapshot(s.file, s.size, func(b record.Batch) error {
		if !b.IsControl() {
			return nil
		}
		return eachControl(b, visit)
	})
}
