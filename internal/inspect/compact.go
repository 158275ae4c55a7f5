package inspect

import (
	"fmt"
	"path"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/log/clean"
)

// Compaction is what a compaction of one partition would do now.
type Compaction struct {
	Dir         string       `json:"dir"`
	Due         bool         `json:"due"` // the cleaner would do it, by the policy that was asked with
	DirtyRatio  float64      `json:"dirty_ratio"`
	FirstDirty  kafka.Offset `json:"first_dirty_offset"`
	UpTo        kafka.Offset `json:"up_to_offset"` // where it would end
	Segments    int          `json:"segments"`
	Bytes       int64        `json:"bytes"`        // of all segments
	ReadBytes   int64        `json:"read_bytes"`   // of the segments that would be copied
	SavedBytes  int64        `json:"saved_bytes"`  // of them that would be gone
	ReadRecords int          `json:"read_records"` // in them
	LeftRecords int          `json:"left_records"` // of those that survive
	Keys        int          `json:"keys"`         // distinct ones in the dirty part
	Keyless     int          `json:"keyless"`      // records without a key, which would be dropped
	Groups      int          `json:"groups"`       // of segments that would become one each
	Untouched   int          `json:"untouched"`    // of those groups, a segment that would stay as it is
}

// PreviewCompaction tells what a compaction of a partition's directory, or of every partition of a log directory, would do.
// No server may have it open. What cannot be previewed for its damage is a Problem. progress may be nil.
func PreviewCompaction(fsys disk.FS, name string, o clean.PreviewOptions, progress func(done, total int64)) ([]Compaction, []Problem, error) {
	entries, err := fsys.List(name)
	if err != nil {
		return nil, nil, err
	}
	var dirs []string
	if isPartition(entries) {
		dirs = []string{name}
	} else {
		for _, e := range entries {
			if d, ok := log.ParseDirName(e.Name); ok && e.Dir && d.Kind == log.Current && e.Name != metadataDir {
				dirs = append(dirs, path.Join(name, e.Name))
			}
		}
	}
	if len(dirs) == 0 {
		return nil, nil, fmt.Errorf("%s holds no partition's log", name)
	}
	out, problems := []Compaction{}, []Problem{}
	for i, dir := range dirs {
		p, err := clean.PreviewDir(fsys, dir, o)
		switch {
		case gone(err):
		case err != nil && damage(err):
			problems = append(problems, Problem{File: dir, Position: -1, Offset: kafka.NoOffset, Message: describe(err)})
		case err != nil:
			return nil, nil, err
		default:
			out = append(out, compactionOf(path.Base(dir), p))
		}
		if progress != nil {
			progress(int64(i+1), int64(len(dirs)))
		}
	}
	return out, problems, nil
}

func compactionOf(dir string, p clean.Preview) Compaction {
	c := Compaction{
		Dir: dir, Due: p.Due, DirtyRatio: p.Dirt.Ratio(), FirstDirty: p.Dirt.First, UpTo: p.UpTo, Segments: p.Segments, Bytes: p.Bytes,
		ReadBytes: p.Stats.BytesRead, SavedBytes: p.Saved(), ReadRecords: p.Stats.RecordsRead, LeftRecords: p.Stats.RecordsLeft,
		Keys: p.Stats.Keys, Keyless: p.Stats.Keyless, Groups: len(p.Groups),
	}
	for _, g := range p.Groups {
		if g.Untouched {
			c.Untouched++
		}
	}
	return c
}
