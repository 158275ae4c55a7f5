package segment

import (
	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
)

// Indexer makes the offset and time index of a log file that somebody else writes: a compaction's output.
type Indexer struct{ m *memory }

// NewIndexer begins the indexes of a segment.
func NewIndexer(base kafka.Offset) *Indexer { return &Indexer{newMemory(base)} }

// Note takes in the next batch, which stands at pos; interval is index.interval.bytes.
func (x *Indexer) Note(b record.Batch, pos, interval int64) {
	x.m.note(b, pos, int64(len(b)), interval)
	x.m.sealing.take(b, pos)
}

// Files returns the two index files and the largest timestamp.
func (x *Indexer) Files() (offsets, times []byte, largest Stamp) {
	x.m.noteTime()
	for _, e := range x.m.offsets {
		offsets = e.append(offsets)
	}
	for _, e := range x.m.times {
		times = e.append(times)
	}
	return offsets, times, x.m.stamp
}

// Stretches returns what a seal says of the batches.
func (x *Indexer) Stretches() []Stretch { return x.m.sealing.stretches }

// Written is a sealed segment whose files this process has just written and synced.
type Written struct {
	Base, Next kafka.Offset
	Size       int64
	CreatedMs  int64
	Largest    Stamp
	Aborted    []Aborted
	Stretches  []Stretch // for its seal
}

// Of returns the segment, once its files have their names.
func (w *Written) Of(fsys disk.FS, dir string) *Segment {
	s := &Segment{
		fs: fsys, dir: dir, base: w.Base, createdMs: w.CreatedMs, size: w.Size, next: w.Next,
		aborted: append([]Aborted{}, w.Aborted...), txnOnDisk: len(w.Aborted),
	}
	s.stamp.Store(&w.Largest)
	return s
}
