package inspect

import (
	"encoding/json"
	"errors"
	"io"
	"path"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/log/epoch"
	"github.com/milena-io/milena/internal/log/producer"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/record"
)

// file verifies a small file by the kind that its name tells; logs and indexes are verified with their segments.
func (v *verifier) file(name string) error {
	base := path.Base(name)
	if _, suffix, ok := segment.ParseName(base); ok {
		if suffix == segment.SnapshotSuffix {
			return v.snapshot(name)
		}
		return nil
	}
	if _, _, ok := snapshotName(base); ok || base == bootstrapFile {
		return v.metadataSnapshot(name)
	}
	var parse func([]byte) error
	switch base {
	case epochFile:
		parse = func(b []byte) error { _, err := epoch.Parse(b); return err }
	case topicFile:
		parse = func(b []byte) error { _, err := log.ParseTopicID(b); return err }
	case metaFile:
		parse = func(b []byte) error { _, err := log.ParseMeta(b); return err }
	case quorumFile:
		parse = parseQuorumState
	case cleanFile:
		parse = parseMarker
	default:
		return nil
	}
	data, err := small(v.fs, name)
	if err == nil && data != nil {
		err = parse(data)
	}
	return v.found(name, err)
}

// parseQuorumState checks the election file of the metadata log, versions 0 and 1.
func parseQuorumState(data []byte) error {
	s := struct {
		LeaderID    int32 `json:"leaderId"`
		LeaderEpoch int32 `json:"leaderEpoch"`
		Version     int16 `json:"data_version"`
	}{LeaderID: -2, LeaderEpoch: -1, Version: -1}
	if err := json.Unmarshal(data, &s); err != nil {
		return fault.Corruption("inspect", "is not JSON: %v", err)
	}
	if s.Version < 0 || s.Version > 1 || s.LeaderEpoch < 0 || s.LeaderID < -1 {
		return fault.Corruption("inspect", "data_version %d, leader %d, epoch %d", s.Version, s.LeaderID, s.LeaderEpoch)
	}
	return nil
}

// parseMarker checks the clean-shutdown marker; before Kafka 3.8 it was empty.
func parseMarker(data []byte) error {
	var m struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &m); len(data) > 0 && err != nil {
		return fault.Corruption("inspect", "is not JSON: %v", err)
	}
	return nil
}

// points reads an offset checkpoint; nil when it is missing or damaged.
func (v *verifier) points(name string) (checkpoint.Offsets, error) {
	data, err := small(v.fs, name)
	if err == nil && len(data) == 0 {
		return nil, nil
	}
	var points checkpoint.Offsets
	if err == nil {
		points, err = checkpoint.ParseOffsets(data)
	}
	return points, v.found(name, err)
}

// snapshot verifies a producer snapshot and the history beside it.
func (v *verifier) snapshot(name string) error {
	data, err := small(v.fs, name)
	if data == nil || err != nil {
		return v.found(name, err)
	}
	state, err := producer.ParseSnapshot(data)
	if err != nil {
		return v.found(name, err)
	}
	for _, e := range state.Entries() {
		for _, b := range e.Batches() {
			if b.LastOffset >= base(name) {
				v.problem(name, -1, b.LastOffset, "producer %d has a batch up to offset %d, the snapshot is of what is below %d", e.ID, b.LastOffset, base(name))
			}
		}
		if e.TxnFirst != kafka.NoOffset && e.TxnFirst >= base(name) {
			v.problem(name, -1, e.TxnFirst, "producer %d has a transaction from offset %d, the snapshot is of what is below %d", e.ID, e.TxnFirst, base(name))
		}
	}
	history, err := small(v.fs, historyOf(name))
	if err == nil && history != nil {
		err = state.Remember(history, producer.SnapshotChecksum(data))
	}
	return v.found(historyOf(name), err)
}

// metadataSnapshot verifies a snapshot of the metadata log: every batch and record, a header first and a footer last.
func (v *verifier) metadataSnapshot(name string) error {
	f, err := v.fs.Open(name, 0)
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	size, err := f.Size()
	if err != nil {
		return err
	}
	s := &segmentWalk{logWalk: &logWalk{epoch: kafka.NoLeaderEpoch}, name: name, below: 1<<63 - 1}
	var last *Decoded
	w := segment.NewWalker(f, 0, size, make([]byte, window))
	for {
		pos := w.Pos()
		b, err := w.Whole()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && damage(err) {
			v.problem(name, pos, -1, "%s", describe(err))
			return nil
		}
		if err != nil {
			return err
		}
		v.batch(b, pos, s)
		last = nil
		if t, value, err := b.Control(); b.IsControl() && err == nil {
			last, _ = control(record.ControlKey(t), value)
		}
		if pos == 0 && (last == nil || last.Type != "SnapshotHeader") {
			v.problem(name, pos, -1, "does not begin with a snapshot header")
		}
	}
	if last == nil || last.Type != "SnapshotFooter" {
		v.problem(name, size, -1, "does not end with a snapshot footer: it was not finished")
	}
	return nil
}
