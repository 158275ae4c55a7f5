package inspect

import (
	"bytes"
	"encoding/json"
	"path"
	"slices"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/log/epoch"
	"github.com/milena-io/milena/internal/log/producer"
	"github.com/milena-io/milena/internal/log/segment"
)

// base is the offset in a file's name.
func base(name string) kafka.Offset {
	o, _, _ := segment.ParseName(path.Base(name))
	return o
}

// limited calls f for each item while the limit of the file lasts.
func limited[T any](d *dumper, list []T, f func(T) Entry) error {
	for _, item := range list[:min(int64(len(list)), d.left)] {
		if err := d.emit(f(item)); err != nil {
			return err
		}
	}
	return nil
}

func (d *dumper) offsetIndex(name string) error {
	data, err := small(d.fs, name)
	if err != nil {
		return err
	}
	entries, err := segment.ParseOffsetIndex(trimZeros(data, segment.OffsetEntrySize), 1<<62)
	if err != nil {
		return err
	}
	return limited(d, entries, func(e segment.OffsetEntry) Entry {
		return IndexEntry{"index", name, base(name) + kafka.Offset(e.Rel), e.Pos}
	})
}

func (d *dumper) timeIndex(name string) error {
	data, err := small(d.fs, name)
	if err != nil {
		return err
	}
	entries, err := segment.ParseTimeIndex(trimZeros(data, segment.TimeEntrySize))
	if err != nil {
		return err
	}
	return limited(d, entries, func(e segment.TimeEntry) Entry {
		return TimeEntry{"timeindex", name, e.Timestamp, base(name) + kafka.Offset(e.Rel)}
	})
}

// trimZeros takes off the entries that a broker preallocated and had not filled when it ended.
func trimZeros(data []byte, width int) []byte {
	zero := make([]byte, width)
	for len(data) >= width && bytes.Equal(data[len(data)-width:], zero) {
		data = data[:len(data)-width]
	}
	return data
}

func (d *dumper) txnIndex(name string) error {
	data, err := small(d.fs, name)
	if err != nil {
		return err
	}
	entries, err := segment.ParseTxnIndex(data, base(name))
	if err != nil {
		return err
	}
	return limited(d, entries, func(a segment.Aborted) Entry {
		return AbortedTxn{"txnindex", name, a.Producer, a.First, a.Last, a.LastStable}
	})
}

func (d *dumper) producers(name string) error {
	data, err := small(d.fs, name)
	if err != nil {
		return err
	}
	state, err := producer.ParseSnapshot(data)
	if err != nil {
		return err
	}
	history, err := small(d.fs, historyOf(name))
	if err == nil && history != nil {
		err = state.Remember(history, producer.SnapshotChecksum(data))
	}
	if err != nil {
		if err := d.problem(Problem{historyOf(name), -1, -1, describe(err)}); err != nil {
			return err
		}
	}
	return limited(d, state.Entries(), func(e producer.Entry) Entry {
		p := Producer{
			Kind: "producer", File: name, ID: e.ID, Epoch: e.Epoch, CoordinatorEpoch: e.CoordinatorEpoch,
			LastTimestamp: e.Timestamp, Batches: []ProducerBatch{},
		}
		if e.TxnFirst != kafka.NoOffset {
			first := int64(e.TxnFirst)
			p.TxnFirst = &first
		}
		for _, b := range e.Batches() {
			p.Batches = append(p.Batches, ProducerBatch{b.FirstSequence(), b.LastSequence, b.LastOffset, b.OffsetDelta, b.Timestamp})
		}
		return p
	})
}

// historyOf is the side file of ours beside a producer snapshot.
func historyOf(snapshot string) string {
	return path.Join(path.Dir(snapshot), segment.Name(base(snapshot), segment.HistorySuffix))
}

func (d *dumper) epochs(name string) error {
	data, err := small(d.fs, name)
	if err != nil {
		return err
	}
	entries, err := epoch.Parse(data)
	if err != nil {
		return err
	}
	return limited(d, entries, func(e epoch.Entry) Entry { return Epoch{"epoch", name, e.Epoch, e.Start} })
}

func (d *dumper) points(name string) error {
	data, err := small(d.fs, name)
	if err != nil || len(data) == 0 { // Kafka leaves a new one empty
		return err
	}
	points, err := checkpoint.ParseOffsets(data)
	if err != nil {
		return err
	}
	return limited(d, sortedPoints(points), func(tp kafka.TopicPartition) Entry {
		return Point{"checkpoint", name, tp.Topic, tp.Partition, points[tp]}
	})
}

func sortedPoints(points checkpoint.Offsets) []kafka.TopicPartition {
	out := make([]kafka.TopicPartition, 0, len(points))
	for tp := range points {
		out = append(out, tp)
	}
	slices.SortFunc(out, func(a, b kafka.TopicPartition) int {
		if a.Topic == b.Topic {
			return int(a.Partition - b.Partition)
		}
		return bytes.Compare([]byte(a.Topic), []byte(b.Topic))
	})
	return out
}

// properties prints a small file of "key=value" or "key: value" lines, or one JSON object.
func (d *dumper) properties(name string) error {
	data, err := small(d.fs, name)
	if err != nil {
		return err
	}
	var fields map[string]any
	if json.Unmarshal(data, &fields) == nil {
		keys := make([]string, 0, len(fields))
		for k := range fields {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		return limited(d, keys, func(k string) Entry {
			text, _ := json.Marshal(fields[k]) // it came from JSON
			return Property{"property", name, k, string(bytes.Trim(text, `"`))}
		})
	}
	var lines []Property
	for line := range bytes.Lines(data) {
		line = bytes.TrimSpace(line)
		at := bytes.IndexAny(line, "=:")
		if at > 0 && line[0] != '#' {
			lines = append(lines, Property{"property", name, string(line[:at]), string(bytes.TrimSpace(line[at+1:]))})
		}
	}
	return limited(d, lines, func(p Property) Entry { return p })
}
