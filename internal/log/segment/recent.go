package segment

import (
	"sync"
	"sync/atomic"

	"github.com/milena-io/milena/internal/disk"
)

// Sizes of the tails in memory. A batch or section of recentMost or more leaves by sendfile, which a copy in memory would
// only delay (ADR 0008); a ring holds some of the largest that don't.
const (
	recentMost  = 16 << 10
	recentBytes = 2 * recentMost
)

// Tails is the memory that the newest bytes of followed segments may take, for all logs of a node.
type Tails struct{ left atomic.Int64 }

// NewTails allows so many bytes.
func NewTails(bytes int64) *Tails {
	t := &Tails{}
	t.left.Store(bytes)
	return t
}

// take returns an empty ring; nil when there is no room for another.
func (t *Tails) take(h *Handle) *recent {
	if t == nil || t.left.Load() < recentBytes {
		return nil
	}
	if t.left.Add(-recentBytes) < 0 {
		t.left.Add(recentBytes)
		return nil
	}
	return &recent{handle: h, tails: t, ring: make([]byte, recentBytes)}
}

// recent is the newest bytes of an active segment in memory: what was written and published, by position, in a ring that the
// next bytes overwrite. Readers share it. It is a file to read a section from: what is not in memory any more comes from the
// log file, which whoever reads keeps open; so a section may be read at any time, and is what the file says.
type recent struct {
	handle *Handle
	tails  *Tails

	mu       sync.RWMutex
	ring     []byte // nil once it was given back
	from, to int64  // the positions that it holds
}

// add takes in what was published at a position.
func (m *recent) add(b []byte, pos int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	end := pos + int64(len(b))
	if len(b) >= recentMost || pos != m.to {
		m.from, m.to = end, end
		if len(b) >= recentMost {
			return
		}
		m.from = pos
	}
	at := int(pos % recentBytes)
	copy(m.ring, b[copy(m.ring[at:], b):])
	m.from, m.to = max(m.from, end-recentBytes), end
}

// cut forgets everything from a position on.
func (m *recent) cut(pos int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.from, m.to = min(m.from, pos), min(m.to, pos)
}

// drop gives the memory back; once.
func (m *recent) drop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ring, m.from, m.to = nil, 0, 0
	m.tails.left.Add(recentBytes)
}

// holds reports whether a section is in memory.
func (m *recent) holds(pos, end int64) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.ring != nil && m.from <= pos && end <= m.to
}

// ReadAt reads from memory what is all there, and else from the file.
func (m *recent) ReadAt(p []byte, pos int64) (int, error) {
	m.mu.RLock()
	if m.ring != nil && m.from <= pos && pos+int64(len(p)) <= m.to {
		n := copy(p, m.ring[pos%recentBytes:])
		n += copy(p[n:], m.ring)
		m.mu.RUnlock()
		return n, nil
	}
	m.mu.RUnlock()
	return m.handle.file.ReadAt(p, pos)
}

// The rest of disk.File is the log file's.
var _ disk.File = (*recent)(nil)

// WriteAt writes to the log file.
func (m *recent) WriteAt(p []byte, pos int64) (int, error) { return m.handle.file.WriteAt(p, pos) }

// Sync syncs the log file.
func (m *recent) Sync() error { return m.handle.file.Sync() }

// Truncate cuts the log file.
func (m *recent) Truncate(size int64) error { return m.handle.file.Truncate(size) }

// Size returns the bytes of the log file.
func (m *recent) Size() (int64, error) { return m.handle.file.Size() }

// Name returns the log file's.
func (m *recent) Name() string { return m.handle.file.Name() }

// Close does nothing: the file is its users'.
func (m *recent) Close() error { return nil }

// Remember keeps the newest bytes of an active segment in memory from the next batch on, if there is room for them. The
// caller holds the log's lock, here and for Forget.
func (s *Segment) Remember(t *Tails) {
	if s.mem.recent == nil {
		s.mem.recent = t.take(&s.file)
	}
}

// Forget gives the memory of the newest bytes back.
func (s *Segment) Forget() {
	if s.mem != nil && s.mem.recent != nil {
		s.mem.recent.drop()
		s.mem.recent = nil
	}
}

// Recent returns what to read a small range from that is in memory; nil when it is not. The file has it, too.
func (k *Look) Recent(r *Range) disk.File {
	if r.End-r.Pos >= recentMost {
		return nil
	}
	k.lock.Lock()
	defer k.lock.Unlock()
	if m := k.seg.mem; m != nil && m.recent != nil && m.recent.holds(r.Pos, r.End) {
		return m.recent
	}
	return nil
}
