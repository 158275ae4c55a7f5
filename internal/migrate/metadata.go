package migrate

import (
	"cmp"
	"errors"
	"io"
	"slices"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/log/epoch"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/quorum"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/staterecord"
)

// RanLast reports whether one of us, and not Apache Kafka, ran last on a metadata log: the newest LEADER_CHANGE tells, for every
// process begins an epoch. The epoch that was noted last may hold none yet: the note comes before the batch. Where the newest is so
// long ago that a snapshot has taken its place, the snapshot tells, which was written by whoever ran last. Of a log that was torn, in
// whichever segment, what is before the tear tells: the rest is what recovery cuts. false too when that cannot be told.
func RanLast(fsys disk.FS, dir string) (bool, error) {
	data, err := checkpoint.Load(fsys, dir+"/leader-epoch-checkpoint", 1<<20)
	if err != nil && !fault.IsKind(err, fault.Corrupt) {
		return false, err
	}
	entries, err := epoch.Parse(data)
	if err != nil || len(entries) == 0 {
		entries = []epoch.Entry{{}}
	}
	for _, e := range slices.Backward(entries) {
		ours, found, err := changeFrom(fsys, dir, e.Start)
		if err = ignoreDamage(err); err != nil || found {
			return ours && err == nil, err
		}
	}
	ours, err := snapshotOurs(fsys, dir, entries[0].Start)
	return ours && err == nil, ignoreDamage(err)
}

// changeFrom looks for the last LEADER_CHANGE from an offset on, and reports whether it is ours.
func changeFrom(fsys disk.FS, dir string, from kafka.Offset) (ours, found bool, err error) {
	err = eachBatch(fsys, dir, from, func(b record.Batch) error {
		if !b.IsControl() {
			return nil
		}
		t, value, err := b.Control()
		if err != nil || t != record.ControlLeaderChange {
			return err
		}
		change, err := record.ParseLeaderChange(value)
		ours, found = change.Milena, true
		return err
	})
	return ours, found, err
}

// errKnown ends a walk that has found what it was for.
var errKnown = errors.New("known")

// snapshotOurs reports whether one of us has written the newest snapshot, if that is past an offset: ours has the index of a Raft
// entry in its header.
func snapshotOurs(fsys disk.FS, dir string, past kafka.Offset) (ours bool, err error) {
	snap, err := quorum.Newest(fsys, dir)
	if err != nil || snap == nil {
		return false, err
	}
	if snap.End >= past { // a log that goes on from a snapshot knows its epoch from there on
		err = snap.Controls(func(t record.ControlType, value []byte) error {
			if t != record.ControlSnapshotHeader {
				return nil
			}
			h, err := record.ParseSnapshotHeader(value)
			if ours = h.RaftIndex >= 0; err == nil {
				err = errKnown
			}
			return err
		})
		if errors.Is(err, errKnown) {
			err = nil
		}
	}
	return ours, errors.Join(err, snap.Close())
}

// ignoreDamage drops an error that is about bytes: whoever opens the log will say so.
func ignoreDamage(err error) error {
	if fault.IsKind(err, fault.Corrupt) {
		return nil
	}
	return err
}

// readMetadata reads the newest snapshot and the log above it. The log ends at a torn batch, where recovery would cut it.
func readMetadata(fsys disk.FS, dir string) (m Metadata, begun bool, err error) {
	b := image.Empty().Edit()
	snap, err := quorum.Newest(fsys, dir)
	if err != nil {
		return m, false, err
	}
	if snap != nil {
		m.End, m.Epoch = snap.End, snap.Epoch
		err = snap.Each(b.Apply)
		if err == nil {
			err = snap.Controls(m.control)
		}
		if err = errors.Join(err, snap.Close()); err != nil {
			return m, true, m.unknown(err)
		}
	}
	begun = m.End > 0
	err = eachBatch(fsys, dir, m.End, func(batch record.Batch) error {
		begun = true
		m.End, m.Epoch = batch.NextOffset(), batch.LeaderEpoch()
		return batch.Each(record.Limits{}, func(r *record.Record) error {
			if batch.IsControl() {
				t, err := record.ParseControlKey(r.Key)
				if err == nil {
					err = m.control(t, r.Value)
				}
				return err
			}
			rec, err := staterecord.Decode(r.Value)
			if err != nil {
				return err
			}
			return b.Apply(rec)
		})
	})
	m.Image = b.Build(image.Position{Offset: m.End - 1, Epoch: m.Epoch}).Visible()
	return m, begun, m.unknown(err)
}

// unknown keeps an error that says that the log is newer than we are.
func (m *Metadata) unknown(err error) error {
	if fault.CodeOf(err) == kafka.ErrUnsupportedVersion {
		m.Unknown = err
		return nil
	}
	return err
}

func (m *Metadata) control(t record.ControlType, value []byte) error {
	switch t {
	case record.ControlKRaftVersion:
		level, err := record.ParseKRaftVersion(value)
		m.KRaftVersion = max(m.KRaftVersion, level)
		return err
	case record.ControlKRaftVoters:
		voters, err := record.ParseKRaftVoters(value)
		m.Voters = nil
		for _, v := range voters {
			m.Voters = append(m.Voters, v.ID)
		}
		return err
	}
	return nil
}

// file is one segment of a log that is not open.
type file struct {
	path string
	base kafka.Offset
	size int64
}

// segments lists the segments of a partition's directory.
func segments(fsys disk.FS, dir string) ([]file, error) {
	entries, err := fsys.List(dir)
	if errors.Is(err, disk.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fault.Storage("migrate", err)
	}
	var out []file
	for _, e := range entries {
		if base, suffix, ok := segment.ParseName(e.Name); ok && suffix == segment.LogSuffix {
			out = append(out, file{dir + "/" + e.Name, base, e.Size})
		}
	}
	slices.SortFunc(out, func(a, b file) int { return cmp.Compare(a.base, b.base) })
	return out, nil
}

// window is how much of a segment is read at a time, bytes.
const window = 1 << 20

// eachBatch visits the whole batches of a log from the one that holds the offset on, in a buffer that the next visit
// overwrites. Their CRCs are checked. The last segment may end in the middle of one.
func eachBatch(fsys disk.FS, dir string, from kafka.Offset, visit func(record.Batch) error) error {
	all, err := segments(fsys, dir)
	if err != nil {
		return err
	}
	first, _ := slices.BinarySearchFunc(all, from+1, func(f file, o kafka.Offset) int { return cmp.Compare(f.base, o) })
	for i, f := range all[max(first-1, 0):] {
		last := max(first-1, 0)+i == len(all)-1
		if err := f.each(fsys, from, last, visit); err != nil {
			return err
		}
	}
	return nil
}

func (f file) each(fsys disk.FS, from kafka.Offset, last bool, visit func(record.Batch) error) error {
	r, err := fsys.Open(f.path, 0)
	if err != nil {
		return fault.Storage("migrate", err)
	}
	defer func() { _ = r.Close() }() // it was only read
	w := segment.NewWalker(r, 0, f.size, make([]byte, 0, min(window, f.size)))
	for {
		b, err := w.Whole()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = b.CheckCRC()
		}
		if last && fault.IsKind(err, fault.Corrupt) {
			return nil // what recovery would cut
		}
		if err != nil {
			return err
		}
		if b.LastOffset() < from {
			continue
		}
		if err := visit(b); err != nil {
			return err
		}
	}
}
