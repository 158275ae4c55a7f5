package segment

import (
	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// Lost notes that the records from an offset up to next are gone with their bytes: the segment's file ends early, or the
// one after it is missing. An empty index at that offset keeps the knowledge, as the files of a missing segment do.
func (s *Segment) Lost(from, next kafka.Offset, why error) error {
	s.damages.add(Damage{
		Path: s.Path(LogSuffix), Pos: s.size, End: s.size, First: from, Next: next, Why: why,
	}, s.damages.generation())
	f, err := s.fs.Open(s.dir+"/"+Name(from, IndexSuffix), disk.Write|disk.Create)
	if err != nil {
		return fault.Storage("segment.Lost", err)
	}
	if err := f.Close(); err != nil {
		return fault.Storage("segment.Lost", err)
	}
	return nil
}

// noteEnd holds the end of a sealed segment against its indexes: a file that was cut at the end of a batch looks whole,
// but they have seen later offsets. Compaction, too, may end a segment before the next one begins; then they have not.
func (k *Look) noteEnd() error {
	if k.active() {
		return nil
	}
	end, err := k.lastEnd()
	if err != nil {
		return err
	}
	seal, err := k.seal()
	if err != nil || seal != nil && k.endsEarly(seal, end) || k.size == 0 {
		return err
	}
	seen := k.Seen()
	if end > seen || seen >= k.next {
		return nil
	}
	return k.seg.Lost(end, k.next, fault.Corruption("segment.end", "%s ends at offset %d, its indexes know offset %d", k.file.Name(), end, seen))
}

// Seen is the last offset that the index files know, -1 when they don't say.
func (k *Look) Seen() kafka.Offset {
	all := func([]byte) bool { return true }
	seen := kafka.NoOffset
	if b, err := lastWhere(k.seg.fs, k.seg.Path(IndexSuffix), OffsetEntrySize, all); err == nil && b != nil {
		seen = k.seg.base + kafka.Offset(parseOffsetEntry(b).Rel)
	}
	if b, err := lastWhere(k.seg.fs, k.seg.Path(TimeIndexSuffix), TimeEntrySize, all); err == nil && b != nil {
		seen = max(seen, k.seg.base+kafka.Offset(parseTimeEntry(b).Rel))
	}
	return seen
}
