package inspect

import (
	"fmt"
	"path"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/log/segment"
)

// Seal is what a segment was when it was sealed, a side file of ours.
type Seal struct {
	Kind      string       `json:"kind"` // "seal"
	File      string       `json:"file"`
	Base      kafka.Offset `json:"base_offset"`
	Bytes     int64        `json:"bytes"`
	End       kafka.Offset `json:"end_offset"`
	Next      kafka.Offset `json:"next_segment"`
	Stretches int          `json:"stretches"`
}

// Text is the line for people.
func (s Seal) Text() string {
	return fmt.Sprintf("baseOffset: %d size: %d endOffset: %d nextSegment: %d stretches: %d", s.Base, s.Bytes, s.End, s.Next, s.Stretches)
}

func (d *dumper) seal(name string) error {
	data, err := small(d.fs, name)
	if err != nil {
		return err
	}
	s, err := segment.ParseSeal(data)
	if err != nil {
		return err
	}
	return d.emit(Seal{"seal", name, s.Base, s.Size, s.End, s.Next, len(s.Stretches)})
}

// seal holds a segment that was walked to its end against its seal, as the log does when it is read: only where offsets are
// missing, which compaction may have left and damage may have taken. Of a log that another program has compacted since, the
// seals are not believed.
func (v *verifier) seal(p *partitionDir, s *segmentWalk, f disk.File, size int64) error {
	if s.last || !s.gaps && s.next == s.below || !p.has(segment.Name(s.base, segment.SealSuffix)) || v.reworked(p) {
		return nil
	}
	seal, err := segment.LoadSeal(v.fs, p.path, s.base)
	if err != nil || seal == nil {
		return err
	}
	switch {
	case size < seal.Size && s.next < seal.End:
		v.problem(s.name, size, s.next, "ends at offset %d with %d bytes; it was sealed with %d bytes and ended at %d", s.next, size, seal.Size, seal.End)
	case size == seal.Size && s.next == seal.End && seal.Next < s.below:
		v.problem(s.name, size, seal.Next, "the segment %d, which came after it, is gone", seal.Next)
	}
	if size != seal.Size {
		return nil
	}
	bad, err := seal.Against(f, make([]byte, 0, window))
	if err == nil && bad >= 0 {
		v.problem(s.name, bad, -1, "offsets or epochs of the batches from there on are not what was sealed")
	}
	return err
}

// reworked reports whether another program has compacted the log since we did; it may be so when the checkpoints don't tell.
func (v *verifier) reworked(p *partitionDir) bool {
	var at [2]kafka.Offset
	for i, name := range [...]string{cleanerFile, log.OwnCleanedFile} {
		data, err := small(v.fs, path.Join(path.Dir(p.path), name))
		if err != nil {
			return true
		}
		if data == nil {
			continue
		}
		points, err := checkpoint.ParseOffsets(data)
		if err != nil {
			return true
		}
		at[i] = points[p.name]
	}
	return at[0] != at[1]
}
