package log

import (
	"errors"
	"slices"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/log/producer"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/mutant"
)

// snapshots are the producer snapshots of a log: one at each roll and one at a clean close, each with our history
// beside it. One that does not check is removed and the one before it is used, with a longer replay.
type snapshots struct {
	fs      disk.FS
	dir     string
	list    []kafka.Offset // ascending
	changed bool           // names came into the directory or went, these or others, since the log was opened
}

const maxSnapshotBytes = 1 << 30

// write saves the state of everything below an offset and returns what makes it durable. Without producers there is no
// history, and the snapshot is as Kafka's.
func (s *snapshots) write(at kafka.Offset, state *producer.State) ([]disk.Syncer, error) {
	data := state.AppendSnapshot(nil)
	type file struct {
		suffix string
		data   []byte
	}
	files := []file{{segment.SnapshotSuffix, data}}
	if state.Len() > 0 { // in this order: without a history it looks like Kafka's
		files = []file{{segment.HistorySuffix, state.AppendHistory(nil, producer.SnapshotChecksum(data))}, files[0]}
	}
	var syncers []disk.Syncer
	for _, file := range files {
		path := s.dir + "/" + segment.Name(at, file.suffix)
		if err := writeFile(s.fs, path, file.data); err != nil {
			return nil, err
		}
		syncers = append(syncers, segment.PathSyncer(s.fs, path))
	}
	s.changed = true
	if i, found := slices.BinarySearch(s.list, at); !found {
		s.list = slices.Insert(s.list, i, at)
	}
	return syncers, nil
}

// newest loads the newest snapshot from an offset up to a limit; without any it is the empty state at the first offset.
func (s *snapshots) newest(limit, from kafka.Offset, now kafka.Instant, expirationMs int64) (*producer.State, kafka.Offset, error) {
	for i := len(s.list) - 1; i >= 0; i-- {
		at := s.list[i]
		if at > limit || at < from {
			continue
		}
		state, err := s.load(at)
		if mutant.On(mutant.SnapshotProducers) {
			state = producer.New()
		}
		if err == nil {
			state.Expire(now.WallMs, expirationMs)
			return state, at, nil
		}
		if !fault.IsKind(err, fault.Corrupt) {
			return nil, 0, err
		}
		if err := s.remove(at); err != nil {
			return nil, 0, err
		}
	}
	return producer.New(), from, nil
}

// at loads the snapshot at an offset; nil when there is none that checks. Unlike the rest it may run beside the writer.
func (s *snapshots) at(o kafka.Offset) (*producer.State, error) {
	state, err := s.load(o)
	if fault.IsKind(err, fault.Corrupt) {
		return nil, nil
	}
	return state, err
}

func (s *snapshots) load(at kafka.Offset) (*producer.State, error) {
	data, err := checkpoint.Load(s.fs, s.dir+"/"+segment.Name(at, segment.SnapshotSuffix), maxSnapshotBytes)
	if err != nil {
		return nil, err
	}
	state, err := producer.ParseSnapshot(data)
	if err != nil {
		return nil, err
	}
	history, err := checkpoint.Load(s.fs, s.dir+"/"+segment.Name(at, segment.HistorySuffix), maxSnapshotBytes)
	if err != nil {
		return nil, err
	}
	if history == nil {
		return state, nil // Kafka's, which remembers one batch
	}
	// One that does not check was torn by a crash; an older snapshot and a longer replay remember what it said.
	return state, state.Remember(history, producer.SnapshotChecksum(data))
}

// keep removes snapshots that no segment begins with, but for the newest when it lies after the last segment's base,
// as Kafka does at load.
func (s *snapshots) keep(segments []*segment.Segment) error {
	bases := map[kafka.Offset]bool{}
	for _, seg := range segments {
		bases[seg.Base()] = true
	}
	last := segments[len(segments)-1].Base()
	for i, at := range slices.Backward(slices.Clone(s.list)) {
		if bases[at] || i == len(s.list)-1 && at > last {
			continue
		}
		if err := s.remove(at); err != nil {
			return err
		}
	}
	return nil
}

// removeAbove drops snapshots of states that were truncated away.
func (s *snapshots) removeAbove(end kafka.Offset) error {
	for len(s.list) > 0 && s.list[len(s.list)-1] > end {
		if err := s.remove(s.list[len(s.list)-1]); err != nil {
			return err
		}
	}
	return nil
}

// remove deletes one snapshot and its history.
func (s *snapshots) remove(at kafka.Offset) error {
	for _, suffix := range []string{segment.SnapshotSuffix, segment.HistorySuffix} {
		if err := s.fs.Remove(s.dir + "/" + segment.Name(at, suffix)); err != nil && !errors.Is(err, disk.ErrNotExist) {
			return fault.Storage("log.snapshot", err)
		}
	}
	s.list = slices.DeleteFunc(s.list, func(o kafka.Offset) bool { return o == at })
	s.changed = true
	return nil
}

func writeFile(fsys disk.FS, path string, data []byte) error {
	f, err := fsys.Open(path, disk.Write|disk.Create|disk.Trunc)
	if err != nil {
		return fault.Storage("log.write", err)
	}
	_, err = f.WriteAt(data, 0)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fault.Storage("log.write", err)
	}
	return nil
}
