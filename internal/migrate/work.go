package migrate

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/log/producer"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/staterecord/group"
)

// Key types of __consumer_offsets that stand for a group of a newer protocol as long as they have a value.
const (
	keyConsumerGroup group.Type = 3
	keyShareGroup    group.Type = 11
	keyStreamsGroup  group.Type = 17
)

const transactionTopic = "__transaction_state"

// maxUnpacked bounds what a batch of an internal topic may unpack to, bytes.
const maxUnpacked = 256 << 20

// groupScan reads partitions of __consumer_offsets.
type groupScan struct {
	newer   map[string]string // kind by name
	classic map[string]bool   // by name; offsets count
}

func (s *groupScan) partition(fsys disk.FS, dir string) error {
	return eachRecord(fsys, dir, func(key, value []byte) {
		t, name, ok := groupKey(key)
		if !ok {
			return // what cannot be read the coordinator skips, too
		}
		kind := ""
		switch t {
		case keyConsumerGroup:
			kind = "consumer"
		case keyShareGroup:
			kind = "share"
		case keyStreamsGroup:
			kind = "streams"
		case group.TypeOffsetCommitV0, group.TypeOffsetCommit, group.TypeGroupMetadata:
			if value != nil {
				s.classic[name] = true
			}
			return
		default:
			return
		}
		if value != nil {
			s.newer[name] = kind
		} else {
			delete(s.newer, name)
		}
	})
}

// groups returns what was found, by name.
func (s *groupScan) groups() (newer []Group, classic int) {
	for _, name := range slices.Sorted(maps.Keys(s.newer)) {
		newer = append(newer, Group{name, s.newer[name]})
		delete(s.classic, name)
	}
	return newer, len(s.classic)
}

// groupKey reads what every key of __consumer_offsets begins with: its type and its group.
func groupKey(key []byte) (group.Type, string, bool) {
	if len(key) < 4 {
		return 0, "", false
	}
	t, n := group.Type(binary.BigEndian.Uint16(key)), int(binary.BigEndian.Uint16(key[2:]))
	if n > len(key)-4 {
		return 0, "", false
	}
	return t, string(key[4 : 4+n]), true
}

// transactionScan reads partitions of __transaction_state.
type transactionScan struct{ open map[string]bool }

func (s *transactionScan) partition(fsys disk.FS, dir string) error {
	return eachRecord(fsys, dir, func(key, value []byte) {
		t, name, ok := groupKey(key)
		if !ok || t != 0 {
			return
		}
		if openStatus(value) {
			s.open[name] = true
		} else {
			delete(s.open, name)
		}
	})
}

// openStatus reports whether a TransactionLogValue, of version 0 or 1, says that a transaction is neither empty nor
// complete: version, producer id, epoch and timeout come before the status in both.
func openStatus(value []byte) bool {
	const at = 2 + 8 + 2 + 4
	if len(value) <= at {
		return false
	}
	switch value[at] {
	case 1, 2, 3, 7: // Ongoing, PrepareCommit, PrepareAbort, PrepareEpochFence
		return true
	}
	return false
}

// eachRecord visits the records of a log; of transactional batches too, since neither topic's own kinds are in them.
func eachRecord(fsys disk.FS, dir string, visit func(key, value []byte)) error {
	return ignoreDamage(eachBatch(fsys, dir, 0, func(b record.Batch) error {
		if b.IsControl() {
			return nil
		}
		return b.Each(record.Limits{MaxBytes: maxUnpacked}, func(r *record.Record) error {
			visit(r.Key, r.Value)
			return nil
		})
	}))
}

// unfinished returns the open transactions of a partition: what its newest producer snapshot knows, and unless the
// directory was closed cleanly what the log above it says.
func unfinished(fsys disk.FS, dir string, tp kafka.TopicPartition, clean bool) ([]Open, error) {
	state, from, err := newestProducers(fsys, dir)
	if err != nil {
		return nil, err
	}
	if !clean {
		err := ignoreDamage(eachBatch(fsys, dir, from, func(b record.Batch) error { return replay(state, b) }))
		if err != nil {
			return nil, err
		}
	}
	var out []Open
	for _, e := range state.Entries() {
		if e.TxnFirst != kafka.NoOffset {
			out = append(out, Open{tp, e.ID, e.TxnFirst})
		}
	}
	return out, nil
}

func replay(state *producer.State, b record.Batch) error {
	if !b.IsControl() {
		state.Apply(b, 0)
		return nil
	}
	t, value, err := b.Control()
	if err != nil || t != record.ControlAbort && t != record.ControlCommit {
		return err
	}
	m, err := record.ParseEndTxnMarker(value)
	if err == nil {
		state.ApplyMarker(b, producer.Marker{Abort: t == record.ControlAbort, CoordinatorEpoch: m.CoordinatorEpoch}, 0)
	}
	return err
}

func newestProducers(fsys disk.FS, dir string) (*producer.State, kafka.Offset, error) {
	entries, err := fsys.List(dir)
	if err != nil {
		return nil, 0, fault.Storage("migrate", err)
	}
	for _, e := range slices.Backward(entries) { // they are listed in order
		at, suffix, ok := segment.ParseName(e.Name)
		if !ok || suffix != segment.SnapshotSuffix {
			continue
		}
		data, err := checkpoint.Load(fsys, dir+"/"+e.Name, 1<<30)
		if err != nil {
			return nil, 0, err
		}
		if state, err := producer.ParseSnapshot(data); err == nil {
			return state, at, nil
		}
	}
	return producer.New(), 0, nil
}
