package clean

import (
	"errors"
	"io"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/record"
)

// Source is a segment that is cleaned: nobody writes to it any more.
type Source struct {
	Segment
	File      disk.File
	CreatedMs int64
}

// Job is one cleaning of one log.
type Job struct {
	FS            disk.FS // nil: nothing is written, for a preview
	Dir           string
	Sources       []Source // every segment that begins below Dirt.Until, ascending
	Dirt          Dirt
	From          int64 // position of a batch in the source of Dirt.First, none before it reaches that offset
	Policy        Policy
	Aborted       []segment.Aborted // those with records in the sources, ascending by first offset
	Producers     map[kafka.ProducerID]LastRecord
	NowMs         int64
	IndexInterval int64 // index.interval.bytes
	Buffers       Buffers
	// Replace puts an output in the place of its sources; the files are complete, synced and named .cleaned.
	Replace func(sources []Source, out *segment.Written) error
}

// Buffers bound the memory of a cleaning.
type Buffers struct {
	MapBytes int64   // log.cleaner.dedupe.buffer.size of one thread
	MapLoad  float64 // log.cleaner.io.buffer.load.factor
	IOBytes  int     // log.cleaner.io.buffer.size of one thread
}

// DefaultBuffers returns Kafka's defaults for one thread.
func DefaultBuffers() Buffers { return Buffers{MapBytes: 128 << 20, MapLoad: 0.9, IOBytes: 512 << 10} }

// Cleaning is a job under way. Step by step it maps the keys of the dirty part, then copies group after group.
type Cleaning struct {
	job    Job
	keys   *KeyMap
	txns   *transactions
	filter *filter
	groups []int // what Groups returned; nil while keys are mapped
	group  int
	reading
	out   output
	moved int64 // bytes read and written
	redo  *redo
	ended []segment.Aborted // the transaction index of the group
	Stats Stats
	// Groups tells what became of each group.
	Groups []Group
}

// reading is where a cleaning reads.
type reading struct {
	source int
	walker segment.Walker
	window []byte
	next   kafka.Offset // the next batch does not begin before it
}

// Group is what a cleaning made of the sources that became one segment.
type Group struct {
	Sources        []kafka.Offset // their bases
	Before, After  int64          // bytes
	RecordsBefore  int
	RecordsAfter   int
	TombstonesLeft int
	Untouched      bool // a single source of which everything survives; it stays as it is
}

// redo is a group of one source of which everything survived up to a batch. Nothing of it was written until then.
type redo struct {
	until, resume int64  // where that batch stands, and where the next one does
	then          []byte // what survives of it
}

// New prepares a cleaning. Nothing is read before the first Step.
func New(job Job) *Cleaning {
	io := max(job.Buffers.IOBytes/2, 64<<10)
	c := &Cleaning{job: job, reading: reading{window: make([]byte, 0, io)}}
	c.keys = NewKeyMap(job.Buffers.MapBytes, job.Buffers.MapLoad, int64(job.Dirt.Until-job.Dirt.First))
	c.keys.upTo = job.Dirt.First
	c.txns = newTransactions(overlapping(job.Aborted, job.Dirt.First), func(segment.Aborted) {})
	c.out = output{fs: job.FS, dir: job.Dir, interval: job.IndexInterval, buf: make([]byte, 0, io)}
	for c.source < len(job.Sources)-1 && job.Sources[c.source+1].Base <= job.Dirt.First {
		c.source++
	}
	c.open(c.source, job.From)
	return c
}

// overlapping leaves out the transactions that ended before an offset.
func overlapping(all []segment.Aborted, from kafka.Offset) (out []segment.Aborted) {
	for _, a := range all {
		if a.Last >= from {
			out = append(out, a)
		}
	}
	return out
}

// Step works on until about so many bytes were read and written, and returns how many were. done is true when nothing is
// left to do. After an error the cleaning is over; Abandon takes away what it left.
func (c *Cleaning) Step(bytes int64) (done bool, moved int64, err error) {
	c.moved = 0
	for !done && c.moved < bytes {
		switch {
		case c.groups == nil:
			err = c.mapNext()
		case c.group+1 < len(c.groups):
			err = c.copyNext()
		default:
			done = true
		}
		if err != nil {
			return false, c.moved, err
		}
	}
	return done, c.moved, nil
}

// CleanedUpTo returns where the next cleaning begins: everything below was mapped, and is compacted once the cleaning is
// done.
func (c *Cleaning) CleanedUpTo() kafka.Offset { return c.keys.upTo }

// Abandon gives an output up that is not in place.
func (c *Cleaning) Abandon() { c.out.discard() }

// open begins to read a source.
func (c *Cleaning) open(i int, pos int64) {
	c.source = i
	if i < len(c.job.Sources) {
		s := &c.job.Sources[i]
		c.walker, c.next = segment.NewWalker(s.File, pos, s.Bytes, c.window), s.Base
	}
}

// batch reads the next batch of the source, whole and checked; nil at its end.
func (c *Cleaning) batch() (record.Batch, error) {
	b, err := c.walker.Whole()
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := b.CheckCRC(); err != nil {
		return nil, err
	}
	if b.BaseOffset() < c.next {
		return nil, fault.Corruption("clean", "%s: offset %d comes after %d", c.job.Sources[c.source].File.Name(), b.BaseOffset(), c.next)
	}
	if end := c.end(); b.NextOffset() > end { // no checksum covers the base offset: it must not be made that of another record
		return nil, fault.Corruption("clean", "%s: offset %d is beyond the segment, which ends at %d", c.job.Sources[c.source].File.Name(), b.LastOffset(), end)
	}
	c.next = b.NextOffset()
	c.moved += int64(len(b))
	return b, nil
}

// end is where the offsets of the source end that is being read.
func (c *Cleaning) end() kafka.Offset {
	if c.source+1 < len(c.job.Sources) {
		return c.job.Sources[c.source+1].Base
	}
	return c.job.Dirt.Until
}

// startCopying ends the mapping.
func (c *Cleaning) startCopying() {
	c.Stats.Keys, c.Stats.MapUtilization = c.keys.Len(), c.keys.Utilization()
	c.txns = newTransactions(c.job.Aborted, func(a segment.Aborted) { c.ended = append(c.ended, a) })
	c.filter = newFilter(c.keys, c.txns, c.job.Producers, c.job.NowMs, c.job.Policy.DeleteRetentionMs)
	segments := make([]Segment, len(c.job.Sources))
	for i, s := range c.job.Sources {
		segments[i] = s.Segment
	}
	if c.groups = Groups(segments, c.keys.upTo, c.job.Dirt.Until, c.job.Policy); c.groups == nil {
		c.groups = []int{}
	}
	c.open(0, 0)
}

// Mapping reports whether keys are still being mapped.
func (c *Cleaning) Mapping() bool { return c.groups == nil }
