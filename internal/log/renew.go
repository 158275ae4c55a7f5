package log

import (
	"slices"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/segment"
)

// After a sync that failed the kernel counts what it could not write as written: the next process reads it, its sync succeeds, and
// a power cut takes it. Nobody can be asked whether that happened, for the error is told once. So nothing of an unclean stop
// counts as durable because it is there and a sync of it is good: what no recovery point vouches for is written back before it is
// synced (ADR 0031). Everything else that recovery believes was synced before it got its name, or is made anew.

// renew writes back what no sync vouches for in the directory of a log with a recovery point: the segments from there on, and of a
// log that has none what was made with it.
func renew(fsys disk.FS, dir string, point kafka.Offset) error {
	entries, err := fsys.List(dir)
	if err != nil {
		return fault.Storage("log.Open", err)
	}
	bases, _, _ := offsetsIn(entries)
	slices.Sort(bases)
	if point == 0 {
		if err := renewFirst(fsys, dir, bases); err != nil {
			return err
		}
	}
	// From the segment before a recovery point at its end, too, as recovery does.
	first, _ := slices.BinarySearch(bases, point)
	first = max(first-1, 0)
	window := newWindow()
	for _, base := range bases[first:] {
		if _, err := segment.Renew(fsys, dir+"/"+segment.Name(base, segment.LogSuffix), point, window); err != nil {
			return err
		}
	}
	return nil
}

// renewFirst is for what stands beside the first segment and is not made anew: whose log it is, and who had written before.
func renewFirst(fsys disk.FS, dir string, bases []kafka.Offset) error {
	names := []string{partitionMetadata}
	if len(bases) > 0 {
		names = append(names, segment.Name(bases[0], segment.SnapshotSuffix), segment.Name(bases[0], segment.HistorySuffix))
	}
	for _, name := range names {
		if err := segment.RenewFile(fsys, dir+"/"+name); err != nil {
			return err
		}
	}
	return nil
}

// renewAll is renew for every log in the directory that nobody has asked for; who asks waits until its turn is over.
func (d *Dir) renewAll() error {
	dirs, err := d.Partitions()
	if err != nil {
		return err
	}
	for _, p := range dirs {
		if p.Kind != Current && p.Kind != Future {
			continue
		}
		if err := d.renewUnasked(p); err != nil {
			return err
		}
	}
	return nil
}

func (d *Dir) renewUnasked(p PartitionDir) error {
	d.renewing.Lock()
	defer d.renewing.Unlock()
	d.mu.Lock()
	asked := d.opened[p.Partition].asked
	d.mu.Unlock()
	if asked { // it renews itself
		return nil
	}
	return renew(d.fs, d.path+"/"+p.Name, d.Checkpointed(p.Partition).RecoveryPoint)
}
