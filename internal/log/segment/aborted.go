package segment

import (
	"errors"
	"io"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
)

// Aborted returns the aborted transactions whose markers stand in the segment, in the order of their markers; they are
// read from the file once. The caller doesn't change the slice.
func (s *Segment) Aborted() ([]Aborted, error) {
	s.repair.Lock()
	defer s.repair.Unlock()
	if s.aborted != nil {
		return s.aborted, nil
	}
	f, err := s.fs.Open(s.Path(TxnIndexSuffix), 0)
	if errors.Is(err, disk.ErrNotExist) { // deleted beside the reader
		return nil, nil
	}
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
	s.aborted, s.txnOnDisk = entries, len(entries)
	return entries, nil
}

// AddAborted notes an aborted transaction. It reaches the file with the other indexes; an append never waits for it, and
// cannot fail by it. The caller holds the log's lock, and the segment is active.
func (s *Segment) AddAborted(a Aborted) {
	s.repair.Lock()
	defer s.repair.Unlock()
	must.Hold(s.aborted != nil, "segment %d takes an aborted transaction with its index unread", s.base)
	s.aborted = append(s.aborted, a)
}

// SetAborted replaces the transaction index of a sealed segment whose file does not parse, also on disk.
func (s *Segment) SetAborted(list []Aborted) error {
	s.repair.Lock()
	s.aborted, s.txnOnDisk = append([]Aborted{}, list...), -1
	s.repair.Unlock()
	return s.writeAborted()
}

// ResetAborted forgets the transaction index before a replay fills it again.
func (s *Segment) ResetAborted() error {
	s.repair.Lock()
	defer s.repair.Unlock()
	s.aborted, s.txnOnDisk = []Aborted{}, 0
	if err := s.fs.Remove(s.Path(TxnIndexSuffix)); err != nil && !errors.Is(err, disk.ErrNotExist) {
		return fault.Storage("segment.ResetAborted", err)
	}
	return nil
}

// cutAborted drops transactions whose marker is gone.
func (s *Segment) cutAborted(o kafka.Offset) {
	s.repair.Lock()
	defer s.repair.Unlock()
	keep := len(s.aborted)
	for keep > 0 && s.aborted[keep-1].Last >= o {
		keep--
	}
	if keep < len(s.aborted) {
		s.aborted, s.txnOnDisk = s.aborted[:keep:keep], -1
	}
}

// writeAborted brings the file up to date; without aborted transactions there is none, as in Kafka.
func (s *Segment) writeAborted() error {
	s.repair.Lock()
	defer s.repair.Unlock()
	from := max(s.txnOnDisk, 0)
	if s.txnOnDisk == len(s.aborted) {
		return nil
	}
	if len(s.aborted) == 0 {
		if err := s.fs.Remove(s.Path(TxnIndexSuffix)); err != nil && !errors.Is(err, disk.ErrNotExist) {
			return fault.Storage("segment.writeAborted", err)
		}
	} else {
		var out []byte
		for _, a := range s.aborted[from:] {
			out = a.Append(out)
		}
		if err := s.writeAt(TxnIndexSuffix, out, int64(from)*AbortedSize, from == 0); err != nil {
			return err
		}
	}
	s.txnOnDisk = len(s.aborted)
	return nil
}

func readAll(f disk.File) ([]byte, error) {
	size, err := f.Size()
	if err != nil {
		return nil, fault.Storage("segment.read", err)
	}
	data := make([]byte, size)
	n, err := f.ReadAt(data, 0)
	if int64(n) < size && (err == nil || errors.Is(err, io.EOF)) {
		return nil, fault.Corruption("segment.read", "%s ended early", f.Name())
	}
	if int64(n) < size {
		return nil, fault.Storage("segment.read", err)
	}
	return data, nil
}
