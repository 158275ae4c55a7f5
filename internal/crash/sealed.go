package crash

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/log/epoch"
	"github.com/milena-io/milena/internal/log/segment"
)

// maxFile bounds what is read of a file in a story.
const maxFile = 1 << 24

// sealed are the files of segments below the durable offset, as they were when that passed them. They are written once, and
// a recovery that begins above them does not look at them: they have to be there, whole, or a lookup reads the whole
// segment, or, where it is the transaction index, a consumer reads what was aborted.
type sealed struct {
	files map[string][]byte       // by name
	log   map[string]string       // the .log without which a file may be gone, too
	below map[string]kafka.Offset // the file is complete once the recovery point is above
}

// with returns s with the files that have come to be below durable.
func (s *sealed) with(fsys disk.FS, dir string, durable kafka.Offset) *sealed {
	entries, err := fsys.List(dir)
	if err != nil {
		return s // the log is not there yet
	}
	var bases []kafka.Offset
	for _, e := range entries {
		if base, suffix, ok := segment.ParseName(e.Name); ok && suffix == segment.LogSuffix {
			bases = append(bases, base)
		}
	}
	for i := 0; i+1 < len(bases) && bases[i+1] < durable; i++ {
		if s != nil && s.below[segment.Name(bases[i], segment.IndexSuffix)] > 0 {
			continue
		}
		next := &sealed{files: map[string][]byte{}, log: map[string]string{}, below: map[string]kafka.Offset{}}
		if s != nil {
			next = &sealed{files: maps.Clone(s.files), log: maps.Clone(s.log), below: maps.Clone(s.below)}
		}
		for _, suffix := range []string{segment.IndexSuffix, segment.TimeIndexSuffix, segment.TxnIndexSuffix} {
			next.add(fsys, dir, bases[i], suffix, bases[i+1])
		}
		for _, suffix := range []string{segment.SnapshotSuffix, segment.HistorySuffix} {
			next.add(fsys, dir, bases[i+1], suffix, bases[i+1])
		}
		s = next
	}
	return s
}

func (s *sealed) add(fsys disk.FS, dir string, base kafka.Offset, suffix string, below kafka.Offset) {
	name := segment.Name(base, suffix)
	data, err := checkpoint.Load(fsys, dir+"/"+name, maxFile)
	if err == nil && data != nil {
		s.files[name], s.log[name], s.below[name] = data, segment.Name(base, segment.LogSuffix), below
	}
}

// check holds the files of a directory that is not open yet against what they were, and its epochs against the batches.
func (s *sealed) check(fsys disk.FS, dir string, recoveryPoint kafka.Offset, m *model) error {
	if err := checkEpochFile(fsys, dir, recoveryPoint, m); err != nil || s == nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(s.files)) {
		if _, err := fsys.Stat(dir + "/" + s.log[name]); err != nil || s.below[name] >= recoveryPoint || s.below[name] <= m.startMax {
			continue // deleted since, or in the course of it, or recovery makes it anew
		}
		have, err := checkpoint.Load(fsys, dir+"/"+name, maxFile)
		if err != nil {
			return err
		}
		if !bytes.Equal(have, s.files[name]) {
			return fmt.Errorf("S2 %s is not what was written before the recovery point %d passed it: %d bytes of %d", name, recoveryPoint, len(have), len(s.files[name]))
		}
	}
	return nil
}

// checkEpochFile wants the epochs of every batch below the recovery point, and a file that is not torn.
func checkEpochFile(fsys disk.FS, dir string, recoveryPoint kafka.Offset, m *model) error {
	c, err := epoch.Open(fsys, dir)
	if err != nil {
		return fmt.Errorf("S7 a file that is replaced is never torn: %w", err)
	}
	for _, e := range m.scan().epochs {
		if e.Start < recoveryPoint && e.Start >= m.startMax && c.For(e.Start) != e.Epoch {
			return fmt.Errorf("S2 epoch %d of offset %d, below the recovery point %d, is not in %v", e.Epoch, e.Start, recoveryPoint, c.Entries())
		}
	}
	return nil
}

// files reads every file of a directory.
func files(fsys disk.FS, dir string) (map[string][]byte, error) {
	entries, err := fsys.List(dir)
	if err != nil && !errors.Is(err, disk.ErrNotExist) { // a log that nobody has written has none
		return nil, err
	}
	out := map[string][]byte{}
	for _, e := range entries {
		if strings.HasSuffix(e.Name, segment.DeletedSuffix) {
			continue // nobody reads it again
		}
		if out[e.Name], err = checkpoint.Load(fsys, dir+"/"+e.Name, maxFile); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// wholeDir wants every file of a directory that was closed cleanly to be as it was left: the next start, ours or Apache
// Kafka's, believes them.
func wholeDir(fsys disk.FS, dir string, want map[string][]byte) error {
	have, err := files(fsys, dir)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if _, err := segment.ParseSeal(have[name]); strings.HasSuffix(name, segment.SealSuffix) && (have[name] == nil || err != nil) {
			have[name] = want[name] // it is never synced: lost or torn, it says nothing
		}
		if !bytes.Equal(have[name], want[name]) {
			return fmt.Errorf("S8 %s has %d bytes that are not the %d of the clean end", name, len(have[name]), len(want[name]))
		}
	}
	if len(have) != len(want) {
		return fmt.Errorf("S8 %d files, %d at the clean end", len(have), len(want))
	}
	return nil
}

// trueSeals wants every seal of a log that was recovered to be that of the segment as it is: one of earlier content would raise
// a false alarm.
func trueSeals(fsys disk.FS, dir string) error {
	entries, err := fsys.List(dir)
	if err != nil && !errors.Is(err, disk.ErrNotExist) {
		return err
	}
	var bases []kafka.Offset
	for _, e := range entries {
		if base, suffix, ok := segment.ParseName(e.Name); ok && suffix == segment.LogSuffix {
			bases = append(bases, base)
		}
	}
	for i, base := range bases {
		seal, err := segment.LoadSeal(fsys, dir, base)
		if err != nil {
			return err
		}
		if seal == nil {
			continue
		}
		if i == len(bases)-1 {
			return fmt.Errorf("S3 segment %d takes appends and has a seal", base)
		}
		if err := trueSeal(fsys, dir, seal, bases[i+1]); err != nil {
			return err
		}
	}
	return nil
}

func trueSeal(fsys disk.FS, dir string, seal *segment.Seal, next kafka.Offset) error {
	path := dir + "/" + segment.Name(seal.Base, segment.LogSuffix)
	window := make([]byte, 0, 4<<10)
	end, err := segment.EndOfFile(fsys, path, seal.Base, window)
	if err != nil {
		return err
	}
	f, err := fsys.Open(path, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	size, err := f.Size()
	if err != nil {
		return err
	}
	bad, err := seal.Against(f, window)
	if err == nil && (seal.Size != size || seal.End != end || seal.Next != next || bad >= 0) {
		err = fmt.Errorf("S3 segment %d has %d bytes, ends at %d before %d, and its seal is %+v, which differs at %d", seal.Base, size, end, next, *seal, bad)
	}
	return err
}
