package clean

import (
	"cmp"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/log/producer"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/record"
)

const previewOp = "clean.Preview"

// PreviewOptions say how a preview is to see the topic.
type PreviewOptions struct {
	Policy               Policy
	Buffers              Buffers
	NowMs                int64
	ProducerExpirationMs int64 // producer.id.expiration.ms
}

// DefaultPreviewOptions returns Kafka's defaults at a time.
func DefaultPreviewOptions(nowMs int64) PreviewOptions {
	return PreviewOptions{Policy: DefaultPolicy(), Buffers: DefaultBuffers(), NowMs: nowMs, ProducerExpirationMs: 86_400_000}
}

// Preview is what a compaction of a partition's directory would do now.
type Preview struct {
	Bounds   Bounds
	Segments int   // the active one included
	Bytes    int64 // of all of them
	Dirt     Dirt
	Due      bool // the cleaner would do it, by its policy; otherwise the preview tells what it would do anyway
	UpTo     kafka.Offset
	Stats    Stats
	Groups   []Group
}

// Saved returns the bytes that would be gone.
func (p Preview) Saved() (bytes int64) {
	for _, g := range p.Groups {
		bytes += g.Before - g.After
	}
	return bytes
}

// PreviewDir plans and runs a compaction of a partition's directory that no process has open, without writing anything. It
// reads the checkpoints of the log directory above it, ours or Kafka's. A directory without segments is an empty Preview.
func PreviewDir(fsys disk.FS, dir string, o PreviewOptions) (Preview, error) {
	d := offline{fs: fsys, dir: dir, state: producer.New()}
	defer d.close()
	if err := d.list(); err != nil || len(d.sources) == 0 {
		return Preview{}, err
	}
	for i := range d.sources {
		if err := d.scan(&d.sources[i]); err != nil {
			return Preview{}, err
		}
	}
	bounds, err := d.bounds()
	if err != nil {
		return Preview{}, err
	}
	var segments []Segment
	p := Preview{Bounds: bounds, Segments: len(d.sources)}
	for _, s := range d.sources {
		segments = append(segments, s.Segment)
		p.Bytes += s.Bytes
	}
	p.Dirt = Judge(segments, bounds, o.Policy, o.NowMs)
	p.Due = p.Dirt.Due(o.Policy)
	below := slices.IndexFunc(d.sources, func(s Source) bool { return s.Base >= p.Dirt.Until })
	d.state.Expire(o.NowMs, o.ProducerExpirationMs)
	c := New(Job{
		Dir: dir, Sources: d.sources[:max(below, 0)], Dirt: p.Dirt, Policy: o.Policy, Aborted: d.aborted,
		Producers: LastRecords(d.state.Entries()), NowMs: o.NowMs, Buffers: o.Buffers,
	})
	for done := false; !done; {
		if done, _, err = c.Step(1 << 30); err != nil {
			return p, err
		}
	}
	p.UpTo, p.Stats, p.Groups = c.CleanedUpTo(), c.Stats, c.Groups
	return p, nil
}

// LastRecords tells what must survive of the producers that a partition knows.
func LastRecords(entries []producer.Entry) map[kafka.ProducerID]LastRecord {
	out := make(map[kafka.ProducerID]LastRecord, len(entries))
	for _, e := range entries {
		last := LastRecord{Data: kafka.NoOffset, Epoch: e.Epoch}
		if known := e.Batches(); len(known) > 0 {
			last.Data = known[len(known)-1].LastOffset
		}
		out[e.ID] = last
	}
	return out
}

// offline is a partition's directory as a preview reads it.
type offline struct {
	fs      disk.FS
	dir     string
	sources []Source
	state   *producer.State
	aborted []segment.Aborted
	end     kafka.Offset
}

// list finds the segments and opens their logs.
func (d *offline) list() error {
	entries, err := d.fs.List(d.dir)
	if err != nil {
		return fault.Storage(previewOp, err)
	}
	sizes := map[string]int64{}
	for _, e := range entries {
		sizes[e.Name] = e.Size
	}
	for _, e := range entries { // sorted by name, and so by offset
		base, suffix, ok := segment.ParseName(e.Name)
		if !ok || suffix != segment.LogSuffix {
			continue
		}
		f, err := d.fs.Open(d.dir+"/"+e.Name, 0)
		if err != nil {
			return fault.Storage(previewOp, err)
		}
		d.sources = append(d.sources, Source{File: f, Segment: Segment{
			Base: base, Bytes: e.Size, FirstMs: -1, LargestMs: -1,
			IndexBytes:     sizes[segment.Name(base, segment.IndexSuffix)],
			TimeIndexBytes: sizes[segment.Name(base, segment.TimeIndexSuffix)],
		}})
	}
	return nil
}

func (d *offline) close() {
	for _, s := range d.sources {
		_ = s.File.Close()
	}
}

// scan reads a segment's headers for timestamps, producers and transactions. The last one may end in a torn batch, or in
// zeros that were preallocated: it ends before them.
func (d *offline) scan(s *Source) error {
	window := make([]byte, 0, 256<<10)
	w := segment.NewWalker(s.File, 0, s.Bytes, window)
	d.end = max(d.end, s.Base)
	for {
		pos := w.Pos()
		b, _, err := w.Header()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if fault.IsKind(err, fault.Corrupt) && s == &d.sources[len(d.sources)-1] {
			s.Bytes = pos
			return nil
		}
		if err != nil {
			return err
		}
		if b.IsControl() {
			again := segment.NewWalker(s.File, pos, s.Bytes, window)
			if b, err = again.Whole(); err != nil {
				return err
			}
			w = again
		}
		if err := d.note(s, b, pos); err != nil {
			return err
		}
	}
}

func (d *offline) note(s *Source, b record.Batch, pos int64) error {
	if pos == 0 {
		s.FirstMs = b.MaxTimestamp()
	}
	if b.Count() > 0 {
		s.LargestMs = max(s.LargestMs, b.MaxTimestamp())
	}
	d.end = b.NextOffset()
	if b.ProducerID() == kafka.NoProducerID {
		return nil
	}
	if !b.IsControl() {
		d.state.Apply(b, b.MaxTimestamp())
		return nil
	}
	if b.Count() == 0 {
		return nil
	}
	kind, value, err := b.Control()
	if err != nil || kind != record.ControlAbort && kind != record.ControlCommit {
		return err
	}
	marker, err := record.ParseEndTxnMarker(value)
	if err != nil {
		return err
	}
	m := producer.Marker{Abort: kind == record.ControlAbort, CoordinatorEpoch: marker.CoordinatorEpoch}
	if t, ended := d.state.ApplyMarker(b, m, b.MaxTimestamp()); ended && t.Abort {
		at, _ := slices.BinarySearchFunc(d.aborted, t.First, func(a segment.Aborted, o kafka.Offset) int { return cmp.Compare(a.First, o) })
		d.aborted = slices.Insert(d.aborted, at, segment.Aborted{Producer: t.Producer, First: t.First, Last: t.Last})
	}
	return nil
}

// Names of the offset checkpoints in a log directory.
const (
	highWatermarkFile = "replication-offset-checkpoint"
	logStartFile      = "log-start-offset-checkpoint"
	cleanerFile       = "cleaner-offset-checkpoint"
)

// bounds takes what the checkpoints of the log directory say; where they are silent the log counts as committed to its end
// and never cleaned.
func (d *offline) bounds() (Bounds, error) {
	b := Bounds{LogStart: d.sources[0].Base, Stable: d.end, End: d.end, Checkpoint: kafka.NoOffset}
	for _, file := range []struct {
		name string
		take func(kafka.Offset)
	}{
		{highWatermarkFile, func(o kafka.Offset) { b.Stable = min(o, d.end) }},
		{logStartFile, func(o kafka.Offset) { b.LogStart = max(b.LogStart, o) }},
		{cleanerFile, func(o kafka.Offset) { b.Checkpoint = o }},
	} {
		o, found, err := d.checkpointed(file.name)
		if err != nil {
			return b, err
		}
		if found {
			file.take(o)
		}
	}
	b.Stable = d.state.LastStable(b.Stable)
	return b, nil
}

func (d *offline) checkpointed(file string) (kafka.Offset, bool, error) {
	parent, name := ".", d.dir
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		parent, name = name[:i], name[i+1:]
	}
	dash := strings.LastIndexByte(name, '-')
	number, err := strconv.ParseInt(name[dash+1:], 10, 32)
	if dash < 1 || err != nil {
		return 0, false, nil
	}
	data, err := checkpoint.Load(d.fs, parent+"/"+file, 1<<30)
	if err != nil {
		return 0, false, err
	}
	all, err := checkpoint.ParseOffsets(data)
	if err != nil {
		return 0, false, err
	}
	o, found := all[kafka.TopicPartition{Topic: name[:dash], Partition: int32(number)}]
	return o, found, nil
}
