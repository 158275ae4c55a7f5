package segment

import (
	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// Cut removes the batch that holds offset o and everything after it, durably: an append that reuses the bytes must not
// meet the old ones after a crash. The segment is active, and the caller holds the log's lock.
func (s *Segment) Cut(o kafka.Offset, window []byte) error {
	hint, exact := s.mem.start(o)
	at := hint
	if !exact {
		k := Look{seg: s, file: s.file.file, size: s.size, next: s.next, window: window}
		var err error
		if at, err = k.scan(hint.pos, o); err != nil {
			return err
		}
	}
	if at.pos >= s.size {
		return nil
	}
	s.size, s.next = at.pos, s.base
	s.own = min(s.own, s.size)
	s.checked.cut(s.size)
	m := s.mem
	m.cut(s.size, at.offset)
	m.stamp = NoStamp
	if err := s.refill(m, window); err != nil {
		return err
	}
	if m.tailLen > 0 {
		s.next = m.tail[(m.tailLen-1)%tailSpots].offset
	}
	if err := s.cutAborted(o); err != nil {
		return err
	}
	return s.CutTail()
}

// cutAborted drops transactions whose marker is gone.
func (s *Segment) cutAborted(o kafka.Offset) error {
	known, err := s.Aborted()
	if err != nil {
		return err
	}
	keep := len(known)
	for keep > 0 && known[keep-1].Last >= o {
		keep--
	}
	if keep == len(known) {
		return nil
	}
	var out []byte
	for _, a := range known[:keep] {
		out = a.Append(out)
	}
	if err := s.writeAt(TxnIndexSuffix, out, 0, true); err != nil {
		return err
	}
	s.repair.Lock()
	defer s.repair.Unlock()
	s.aborted = known[:keep:keep]
	return nil
}

// Aborted returns the aborted transactions whose markers stand in the segment, in the order of their markers; they are
// read from the file once. The caller doesn't change the slice.
func (s *Segment) Aborted() ([]Aborted, error) {
	s.repair.Lock()
	defer s.repair.Unlock()
	if s.aborted != nil {
		return s.aborted, nil
	}
	f, err := s.fs.Open(s.Path(TxnIndexSuffix), 0)
	if err != nil {
		return nil, fault.Storage("segment.Aborted", err)
	}
	defer func() { _ = f.Close() }()
	data, err := readAll(f)
	if err != nil {
		return nil, err
	}
	entries, err := ParseTxnIndex(data, s.base)
	if err != nil {
		return nil, err
	}
	s.aborted = entries
	return entries, nil
}

func readAll(f disk.File) ([]byte, error) {
	size, err := f.Size()
	if err != nil {
		return nil, fault.Storage("segment.read", err)
	}
	data := make([]byte, size)
	if n, err := f.ReadAt(data, 0); int64(n) < size {
		return nil, fault.Storage("segment.read", err)
	}
	return data, nil
}
