// Package clean is compaction of one partition's log: the plan (what is dirty, which segments go together), the map from
// keys to their last offsets, what survives of each batch, and the work that makes the new segments, step by step.
//
// log runs it on its own segments and puts the result in their place; inspect asks for a preview of a directory at rest.
// Plans are pure: facts in, decisions out. A Cleaning reads sources and writes .cleaned files, and touches nothing else:
// it never takes a lock, never waits, starts no goroutine, and never removes or replaces what is served.
//
// Invariants (C1-C4 of reliability.md): the last record of every key below the cleaned point survives, a tombstone until
// its delete horizon; survivors keep their offsets and their order; records of open transactions are out of reach, and a
// marker stays until its records are gone; the last batch of each output stands where the last batch of its sources stood,
// so that there is no hole between segments and no offset is given out twice; bytes that do not check are never copied.
//
// # Memory of a cleaning
//
// An entry of the map is 24 bytes: 16 of the key's hash and 8 of its offset. log.cleaner.dedupe.buffer.size (128 MiB) over
// log.cleaner.threads (1), filled to 0.9, is 5.03 million keys a pass. A log of 100 GB with records of 1 KiB has 100 million
// of them; dirty to half with distinct keys it takes 10 passes, each in 128 MiB and two buffers, and where keys repeat ten
// times, one. A pass asks for no more than its dirty offsets can fill, so that small logs cost little, and gives it back.
package clean

import (
	"math"

	"github.com/milena-io/milena/internal/kafka"
)

// Segment is what a plan knows of one segment.
type Segment struct {
	Base           kafka.Offset
	Bytes          int64
	IndexBytes     int64
	TimeIndexBytes int64
	FirstMs        int64 // timestamp of the first batch, -1 for none; counts where there is a max.compaction.lag.ms
	LargestMs      int64 // largest timestamp; counts where there is a min.compaction.lag.ms
}

// Policy is what a topic's configuration says of compaction.
type Policy struct {
	MinLagMs          int64   // min.compaction.lag.ms
	MaxLagMs          int64   // max.compaction.lag.ms
	DirtyRatio        float64 // min.cleanable.dirty.ratio
	DeleteRetentionMs int64   // delete.retention.ms
	SegmentBytes      int64   // segment.bytes
	IndexBytes        int64   // segment.index.bytes
}

// DefaultPolicy returns Kafka's defaults.
func DefaultPolicy() Policy {
	return Policy{
		MaxLagMs: math.MaxInt64, DirtyRatio: 0.5, DeleteRetentionMs: 86_400_000, SegmentBytes: 1 << 30, IndexBytes: 10_485_760,
	}
}

// Bounds are the positions that limit a cleaning.
type Bounds struct {
	LogStart   kafka.Offset
	Stable     kafka.Offset // nothing at or after it is decided or durable yet
	End        kafka.Offset
	Checkpoint kafka.Offset // where the last cleaning ended, NoOffset for never
}

// Dirt is what of a log is to be cleaned. Keys are mapped from First up to Until; segments are copied from the beginning.
type Dirt struct {
	First          kafka.Offset
	Until          kafka.Offset // where the first segment begins that must not be cleaned
	CleanBytes     int64        // of segments that begin before First
	CleanableBytes int64        // of segments with offsets from First up to Until
	OverdueMs      int64        // for how long dirty records have been older than max.compaction.lag.ms
	Invalid        bool         // the checkpoint cannot be true: First is the log start
}

// Ratio is the dirty part of what would be read.
func (d Dirt) Ratio() float64 {
	if d.CleanBytes+d.CleanableBytes == 0 {
		return 0
	}
	return float64(d.CleanableBytes) / float64(d.CleanBytes+d.CleanableBytes)
}

// Due reports whether the log is to be cleaned now.
func (d Dirt) Due(p Policy) bool {
	return d.CleanableBytes > 0 && (d.OverdueMs > 0 || d.Ratio() > p.DirtyRatio)
}

// Before orders logs that are due: those past their max.compaction.lag.ms first, for that is a promise, then the filthier.
func (d Dirt) Before(o Dirt) bool {
	if a, b := d.OverdueMs > 0, o.OverdueMs > 0; a != b {
		return a
	}
	return d.Ratio() > o.Ratio()
}

// Judge decides what of a log is dirty and may be cleaned, as LogCleanerManager of Apache Kafka 4.3 does: nothing of the
// active segment, which is the last, nothing at or after the stable offset, and no segment from the first on that has a
// record younger than min.compaction.lag.ms.
func Judge(segments []Segment, b Bounds, p Policy, nowMs int64) Dirt {
	d := Dirt{First: b.Checkpoint}
	if b.Checkpoint < b.LogStart || b.Checkpoint > b.End {
		d.First, d.Invalid = b.LogStart, b.Checkpoint != kafka.NoOffset
	}
	active := segments[len(segments)-1].Base
	until := min(b.Stable, active)
	if p.MinLagMs > 0 {
		for _, s := range segments[floor(segments, d.First) : len(segments)-1] {
			if s.LargestMs > nowMs-p.MinLagMs {
				until = min(until, s.Base)
				break
			}
		}
	}
	until = max(until, d.First)
	d.Until = segments[floor(segments, until)].Base
	earliest := int64(math.MaxInt64)
	for i, s := range segments {
		if s.Base < d.First {
			d.CleanBytes += s.Bytes
		}
		dirty := i >= floor(segments, min(d.First, d.Until))
		if dirty && s.Base < d.Until {
			d.CleanableBytes += s.Bytes
		}
		if dirty && i < len(segments)-1 && s.FirstMs > 0 {
			earliest = min(earliest, s.FirstMs)
		}
	}
	if p.MaxLagMs < math.MaxInt64 && earliest < nowMs-p.MaxLagMs {
		d.OverdueMs = nowMs - p.MaxLagMs - earliest
	}
	return d
}

// floor returns the index of the segment that an offset belongs to, the first for one below all.
func floor(segments []Segment, o kafka.Offset) int {
	i := len(segments) - 1
	for i > 0 && segments[i].Base > o {
		i--
	}
	return i
}

// Groups puts the segments with offsets below end into groups that become one segment each: not larger than segment.bytes,
// with indexes that fit segment.index.bytes and offsets that fit 31 bits. until is where the first segment begins that is
// not cleaned. It returns the first index of each group and, last, the index after the last.
func Groups(segments []Segment, end, until kafka.Offset, p Policy) []int {
	count := 0
	for count < len(segments) && segments[count].Base < end {
		count++
	}
	lastOf := func(i int) kafka.Offset {
		if i+1 < len(segments) {
			return segments[i+1].Base - 1
		}
		return until - 1
	}
	cuts := []int{0}
	var group Segment
	for i, s := range segments[:count] {
		fits := group.Bytes+s.Bytes <= p.SegmentBytes && group.IndexBytes+s.IndexBytes <= p.IndexBytes &&
			group.TimeIndexBytes+s.TimeIndexBytes <= p.IndexBytes &&
			(s.Bytes == 0 || lastOf(i)-segments[cuts[len(cuts)-1]].Base <= math.MaxInt32)
		if i > 0 && !fits {
			cuts, group = append(cuts, i), Segment{}
		}
		group.Bytes += s.Bytes
		group.IndexBytes += s.IndexBytes
		group.TimeIndexBytes += s.TimeIndexBytes
	}
	if count == 0 {
		return nil
	}
	return append(cuts, count)
}
