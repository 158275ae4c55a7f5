package inspect

import (
	"fmt"
	"path"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/log/epoch"
	"github.com/milena-io/milena/internal/log/producer"
	"github.com/milena-io/milena/internal/log/segment"
)

// Listing is what lies in a log directory or in one partition's directory.
type Listing struct {
	ClusterID  string            `json:"cluster_id"` // "" when no meta.properties says
	NodeID     kafka.NodeID      `json:"node_id"`    // -1 likewise
	Clean      bool              `json:"clean"`      // the clean-shutdown marker is there: the next start believes the logs
	Partitions []ListedPartition `json:"partitions"`
	Problems   []Problem         `json:"problems"`
}

// ListedPartition is one partition's log as its files and the checkpoints of its directory tell.
type ListedPartition struct {
	Dir            string            `json:"dir"`
	Topic          string            `json:"topic"`
	Partition      int32             `json:"partition"`
	Kind           string            `json:"kind"` // current, future, stray or delete
	TopicID        string            `json:"topic_id"`
	Bytes          int64             `json:"bytes"`            // of the segments' logs
	OtherBytes     int64             `json:"other_bytes"`      // of indexes, snapshots and the rest
	Start          kafka.Offset      `json:"start_offset"`     // first that is readable
	End            kafka.Offset      `json:"end_offset"`       // first that is free; -1 when damage hides it
	MaxTimestampMs int64             `json:"max_timestamp_ms"` // -1 for none
	LeaderEpoch    kafka.LeaderEpoch `json:"leader_epoch"`     // the newest, -1 for none
	ListedPoints
	Producers ListedProducers `json:"producers"`
	Segments  []ListedSegment `json:"segments"`
	Damaged   int             `json:"damaged"` // problems of its files
}

// ListedPoints is what the checkpoints of the log directory say of a partition.
type ListedPoints struct {
	RecoveryPoint kafka.Offset `json:"recovery_point"` // -1 when no checkpoint says
	HighWatermark kafka.Offset `json:"high_watermark"` // -1 likewise
}

// ListedProducers is what the newest producer snapshot says.
type ListedProducers struct {
	Snapshot     kafka.Offset `json:"snapshot_offset"` // -1 without a snapshot
	Count        int          `json:"count"`
	Transactions int          `json:"open_transactions"`
}

// ListedSegment is one segment.
type ListedSegment struct {
	Base             kafka.Offset `json:"base_offset"`
	End              kafka.Offset `json:"end_offset"` // after its last batch; -1 when damage hides it
	Bytes            int64        `json:"bytes"`
	FirstTimestampMs int64        `json:"first_timestamp_ms"` // base timestamp of the first batch, -1 for none
	MaxTimestampMs   int64        `json:"max_timestamp_ms"`
	Index            ListedIndex  `json:"index"`
	TimeIndex        ListedIndex  `json:"time_index"`
	TxnIndex         ListedIndex  `json:"txn_index"`
}

// ListedIndex is the state of one index file.
type ListedIndex struct {
	State   string `json:"state"` // ok, missing, preallocated (as a broker leaves it that was killed) or damaged
	Entries int    `json:"entries"`
	Bytes   int64  `json:"bytes"`
}

// States of an index file.
const (
	IndexOK           = "ok"
	IndexMissing      = "missing"
	IndexPreallocated = "preallocated"
	IndexDamaged      = "damaged"
)

// List tells what lies in a log directory or a partition's directory. It reads small files, indexes, and of each segment
// its first batch header and those behind the last index entry; Verify is what reads everything. progress, which may be
// nil, is told after each partition.
func List(fsys disk.FS, name string, progress func(done, total int64)) (Listing, error) {
	v := &verifier{fs: fsys, told: map[string]int{}, report: Report{Problems: []Problem{}}}
	out := Listing{NodeID: kafka.NoNode, Partitions: []ListedPartition{}}
	entries, err := fsys.List(name)
	if err != nil {
		return out, err
	}
	if isPartition(entries) {
		points, err := v.allPoints(path.Dir(name))
		if err != nil {
			return out, err
		}
		p, err := v.listed(name, points)
		if err == nil {
			out.Partitions = append(out.Partitions, p)
		}
		out.Problems = v.report.Problems
		return out, err
	}
	var dirs []string
	for _, e := range entries {
		if _, ok := log.ParseDirName(e.Name); ok && e.Dir {
			dirs = append(dirs, e.Name)
		}
	}
	if len(dirs) == 0 && !named(entries, metaFile) {
		return out, fmt.Errorf("%s holds no log: no %s and no partition directories", name, metaFile)
	}
	if err := v.owner(name, &out); err != nil {
		return out, err
	}
	out.Clean = named(entries, cleanFile)
	points, err := v.allPoints(name)
	if err != nil {
		return out, err
	}
	for i, dir := range dirs {
		p, err := v.listed(path.Join(name, dir), points)
		if gone(err) {
			continue
		}
		if err != nil {
			return out, err
		}
		out.Partitions = append(out.Partitions, p)
		if progress != nil {
			progress(int64(i+1), int64(len(dirs)))
		}
	}
	out.Problems = v.report.Problems
	return out, nil
}

// owner reads whose directory it is.
func (v *verifier) owner(name string, out *Listing) error {
	file := path.Join(name, metaFile)
	data, err := small(v.fs, file)
	if err != nil || data == nil {
		return v.found(file, err)
	}
	m, err := log.ParseMeta(data)
	if err == nil {
		out.ClusterID, out.NodeID = m.ClusterID, m.NodeID
	}
	return v.found(file, err)
}

// allPoints reads the offset checkpoints of a log directory by file.
func (v *verifier) allPoints(dir string) (map[string]checkpoint.Offsets, error) {
	points := map[string]checkpoint.Offsets{}
	for _, file := range offsetCheckpoints() {
		p, err := v.points(path.Join(dir, file))
		if err != nil {
			return nil, err
		}
		points[file] = p
	}
	return points, nil
}

// listed lists one partition.
func (v *verifier) listed(dir string, points map[string]checkpoint.Offsets) (ListedPartition, error) {
	before := len(v.report.Problems)
	out := ListedPartition{
		Dir: path.Base(dir), Kind: "current", Start: kafka.NoOffset, End: kafka.NoOffset,
		ListedPoints: ListedPoints{RecoveryPoint: kafka.NoOffset, HighWatermark: kafka.NoOffset}, MaxTimestampMs: -1, LeaderEpoch: kafka.NoLeaderEpoch, Segments: []ListedSegment{},
		Producers: ListedProducers{Snapshot: kafka.NoOffset},
	}
	p, err := listPartition(v.fs, dir)
	if err != nil {
		return out, err
	}
	out.Topic, out.Partition = p.name.Topic, p.name.Partition
	if n, ok := log.ParseDirName(out.Dir); ok && n.Kind != log.Current {
		out.Kind = string(n.Kind)
	}
	if out.OtherBytes, err = v.otherBytes(dir); err != nil {
		return out, err
	}
	window := make([]byte, listWindow)
	for i, at := range p.segments {
		s, err := v.listedSegment(p, at, i == len(p.segments)-1, window)
		if gone(err) {
			continue
		}
		if err != nil {
			return out, err
		}
		out.Bytes += s.Bytes
		out.MaxTimestampMs = max(out.MaxTimestampMs, s.MaxTimestampMs)
		out.End = s.End
		out.Segments = append(out.Segments, s)
	}
	if len(out.Segments) > 0 {
		out.Start = out.Segments[0].Base
	}
	if out.Kind == "current" {
		out.place(p.name, points)
	}
	if err := v.listedFacts(p, &out); err != nil {
		return out, err
	}
	out.Damaged = len(v.report.Problems) - before
	return out, nil
}

// place takes over what the checkpoints of the directory say.
func (l *ListedPartition) place(tp kafka.TopicPartition, points map[string]checkpoint.Offsets) {
	if o, ok := points["recovery-point-offset-checkpoint"][tp]; ok {
		l.RecoveryPoint = o
	}
	if o, ok := points["replication-offset-checkpoint"][tp]; ok {
		l.HighWatermark = o
	}
	if o, ok := points["log-start-offset-checkpoint"][tp]; ok {
		l.Start = max(l.Start, o)
	}
}

// listedFacts reads the small files of a partition: whose it is, epochs, producers.
func (v *verifier) listedFacts(p *partitionDir, out *ListedPartition) error {
	facts := []struct {
		file  string
		parse func([]byte) error
	}{
		{topicFile, func(b []byte) error {
			id, err := log.ParseTopicID(b)
			out.TopicID = id.String()
			return err
		}},
		{epochFile, func(b []byte) error {
			entries, err := epoch.Parse(b)
			if n := len(entries); err == nil && n > 0 {
				out.LeaderEpoch = entries[n-1].Epoch
			}
			return err
		}},
	}
	for _, name := range p.files { // the last one counts
		if at, suffix, ok := segment.ParseName(name); ok && suffix == segment.SnapshotSuffix {
			out.Producers.Snapshot = at
		}
	}
	if at := out.Producers.Snapshot; at >= 0 {
		facts = append(facts, struct {
			file  string
			parse func([]byte) error
		}{segment.Name(at, segment.SnapshotSuffix), func(b []byte) error {
			state, err := producer.ParseSnapshot(b)
			if err == nil {
				out.Producers.count(state)
			}
			return err
		}})
	}
	for _, f := range facts {
		name := path.Join(p.path, f.file)
		data, err := small(v.fs, name)
		if err == nil && data != nil {
			err = f.parse(data)
		}
		if err := v.found(name, err); err != nil {
			return err
		}
	}
	return nil
}

func (l *ListedProducers) count(state *producer.State) {
	for _, e := range state.Entries() {
		l.Count++
		if e.TxnFirst != kafka.NoOffset {
			l.Transactions++
		}
	}
}

// otherBytes adds up the files that are no segment's log.
func (v *verifier) otherBytes(dir string) (int64, error) {
	entries, err := v.fs.List(dir)
	n := int64(0)
	for _, e := range entries {
		if _, suffix, ok := segment.ParseName(e.Name); !e.Dir && !(ok && suffix == segment.LogSuffix) {
			n += e.Size
		}
	}
	return n, err
}
