package log

import (
	"errors"
	"math"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/clean"
	"github.com/milena-io/milena/internal/log/segment"
)

// Dirt tells what there may be to compact in a log that is not open, by the names and sizes of its files and the cleaner's
// checkpoint. That is more than may be compacted in fact: timestamps and open transactions are not looked at, so that a log
// which seems due is to be opened and asked again (Dirt).
func (d *Dir) Dirt(tp kafka.TopicPartition, p clean.Policy) (dirt clean.Dirt, due bool, err error) {
	entries, err := d.fs.List(d.PartitionPath(tp))
	if errors.Is(err, disk.ErrNotExist) {
		return dirt, false, nil // nobody has written it
	}
	if err != nil {
		return dirt, false, fault.Storage("log.Dir.Dirt", err)
	}
	var segments []clean.Segment
	for _, e := range entries { // in the order of their offsets, which have leading zeros
		if base, suffix, ok := segment.ParseName(e.Name); ok && suffix == segment.LogSuffix {
			segments = append(segments, clean.Segment{Base: base, Bytes: e.Size, FirstMs: -1, LargestMs: -1})
		}
	}
	if len(segments) == 0 {
		return dirt, false, nil
	}
	known := d.Checkpointed(tp)
	b := clean.Bounds{LogStart: max(known.LogStart, segments[0].Base), Stable: math.MaxInt64, End: math.MaxInt64, Checkpoint: known.Cleaned}
	if b.Checkpoint == 0 {
		b.Checkpoint = kafka.NoOffset
	}
	anyAge := p
	anyAge.MinLagMs, anyAge.MaxLagMs = 0, math.MaxInt64
	dirt = clean.Judge(segments, b, anyAge, 0)
	return dirt, dirt.Due(p) || dirt.CleanableBytes > 0 && p.MaxLagMs < math.MaxInt64, nil
}
