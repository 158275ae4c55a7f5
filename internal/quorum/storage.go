package quorum

import (
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// storage shows Raft a Kafka log as a list of entries. Entry i is one batch; its term is the batch's leader epoch and
// its data is the batch's bytes. A membership change is the batch of a KRAFT_VOTERS record, wrapped for Raft as the
// context of a ConfChangeV2. The newest entries are also kept in memory, so that neither Raft nor the feed reads back
// from the log what was just written.
//
// All calls come under the quorum's mutex.
type storage struct {
	log  Log
	pos  positions
	tail tail
	hard *raftpb.HardState
	snap snapshotRef // the newest snapshot; Raft starts from it

	unread error      // why entries could not be read; Raft panics with it
	kraft  int16      // kraft.version at the end of the log
	last   lastChange // of the log when it was opened
}

// InitialState implements raft.Storage.
func (s *storage) InitialState() (*raftpb.HardState, *raftpb.ConfState, error) {
	return s.hard, s.snap.voters.confState(), nil
}

// FirstIndex implements raft.Storage.
func (s *storage) FirstIndex() (uint64, error) { return s.pos.first, nil }

// LastIndex implements raft.Storage.
func (s *storage) LastIndex() (uint64, error) { return s.pos.next() - 1, nil }

// Term implements raft.Storage.
func (s *storage) Term(i uint64) (uint64, error) {
	if i+1 < s.pos.first {
		return 0, raft.ErrCompacted
	}
	if t, ok := s.pos.termOf(i); ok {
		return t, nil
	}
	return 0, raft.ErrUnavailable
}

// Snapshot implements raft.Storage: what names the newest snapshot to a voter too far behind for the log, which fetches it.
func (s *storage) Snapshot() (*raftpb.Snapshot, error) { return s.snap.offered(), nil }

// Entries implements raft.Storage.
func (s *storage) Entries(lo, hi, maxSize uint64) ([]*raftpb.Entry, error) {
	if lo < s.pos.first {
		return nil, raft.ErrCompacted
	}
	if hi > s.pos.next() {
		return nil, raft.ErrUnavailable
	}
	var out []*raftpb.Entry
	var size uint64
	for lo < hi {
		part, ok := s.tail.from(lo, hi)
		if !ok {
			var err error
			if part, err = s.read(lo, hi, maxSize-size); err != nil {
				s.unread = err
				return nil, err
			}
		}
		for _, e := range part {
			size += uint64(len(e.Data)) + 24
			if size > maxSize && len(out) > 0 {
				return out, nil
			}
			out = append(out, e)
		}
		lo += uint64(len(part))
	}
	return out, nil
}

// read fetches entries from the log: at least one.
func (s *storage) read(lo, hi, size uint64) ([]*raftpb.Entry, error) {
	from, ok := s.pos.offsetOf(lo)
	must.Hold(ok, "entry %d has no offset", lo)
	b, err := s.log.Read(from, int(min(size, readBytes)))
	if err != nil {
		return nil, err
	}
	var out []*raftpb.Entry
	for len(b) > 0 && lo < hi {
		batch, rest, err := record.Next(b)
		if err != nil {
			return nil, err
		}
		want, _ := s.pos.offsetOf(lo)
		term, _ := s.pos.termOf(lo)
		if batch.BaseOffset() != want || uint64(batch.LeaderEpoch()) != term {
			return nil, fault.Corruption("quorum.read", "entry %d is at offset %d of epoch %d, the log has offset %d of epoch %d",
				lo, want, term, batch.BaseOffset(), batch.LeaderEpoch())
		}
		out = append(out, entryOf(lo, term, batch, s.pos.isChange(lo)))
		b, lo = rest, lo+1
	}
	if len(out) == 0 {
		return nil, fault.Corruption("quorum.read", "the log has nothing at offset %d, its end is %d", from, s.pos.end())
	}
	return out, nil
}

// entryOf wraps a batch for Raft.
func entryOf(index, term uint64, b record.Batch, change bool) *raftpb.Entry {
	e := &raftpb.Entry{Index: new(index), Term: new(term), Type: raftpb.EntryNormal.Enum(), Data: b}
	if change {
		e.Type, e.Data = raftpb.EntryConfChangeV2.Enum(), wrapChange(b)
	}
	return e
}

func wrapChange(b record.Batch) []byte {
	return must.Get(proto.Marshal(&raftpb.ConfChangeV2{Context: b}))
}

// batchOf is the way back: the batch of an entry as it came from a peer or from Entries.
func batchOf(e *raftpb.Entry) (record.Batch, error) {
	switch e.GetType() {
	case raftpb.EntryNormal:
		return e.GetData(), nil
	case raftpb.EntryConfChangeV2:
		cc := &raftpb.ConfChangeV2{}
		if err := proto.Unmarshal(e.GetData(), cc); err != nil {
			return nil, fault.Corruption("quorum.entry", "entry %d: %v", e.GetIndex(), err)
		}
		return cc.GetContext(), nil
	}
	return nil, fault.Corruption("quorum.entry", "entry %d has type %v", e.GetIndex(), e.GetType())
}

// cut drops the entry and all after it: a new leader says otherwise.
func (s *storage) cut(index uint64) error {
	offset, ok := s.pos.offsetOf(index)
	must.Hold(ok, "cut at entry %d outside [%d,%d]", index, s.pos.first, s.pos.next())
	if err := s.log.TruncateTo(offset); err != nil {
		return err
	}
	s.pos.truncate(index)
	s.tail.truncate(index)
	return nil
}

// put appends the batch that stands for an entry.
func (s *storage) put(now kafka.Instant, term uint64, b record.Batch, change bool) error {
	must.Hold(b.BaseOffset() == s.pos.end() && uint64(b.LeaderEpoch()) == term,
		"batch at offset %d of epoch %d appended at %d in term %d", b.BaseOffset(), b.LeaderEpoch(), s.pos.end(), term)
	if err := s.log.Append(now, b); err != nil {
		return err
	}
	s.tail.add(entryOf(s.pos.next(), term, b, change))
	s.pos.add(term, int64(b.LastOffsetDelta())+1, change)
	return nil
}

// tailBytes is how much of the log's end stays in memory.
const tailBytes = 1 << 20

// readBytes is the most that is read from the log at once.
const readBytes = 1 << 20

// tail is the newest entries, adjacent, the last one being the log's last.
type tail struct {
	entries []*raftpb.Entry
	bytes   int
}

func (t *tail) add(e *raftpb.Entry) {
	t.entries = append(t.entries, e)
	t.bytes += len(e.GetData())
	drop := 0
	for t.bytes > tailBytes && drop < len(t.entries)-1 {
		t.bytes -= len(t.entries[drop].GetData())
		t.entries[drop] = nil
		drop++
	}
	t.entries = t.entries[drop:]
}

// from returns what the tail has of [lo,hi); not ok when lo is older than the tail.
func (t *tail) from(lo, hi uint64) ([]*raftpb.Entry, bool) {
	if len(t.entries) == 0 || lo < t.entries[0].GetIndex() {
		return nil, false
	}
	first := t.entries[0].GetIndex()
	return t.entries[lo-first : hi-first : hi-first], true
}

func (t *tail) truncate(index uint64) {
	for n := len(t.entries); n > 0 && t.entries[n-1].GetIndex() >= index; n-- {
		t.bytes -= len(t.entries[n-1].GetData())
		t.entries = t.entries[:n-1]
	}
}
