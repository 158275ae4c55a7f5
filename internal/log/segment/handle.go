package segment

import (
	"sync"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/must"
)

// Handle is a segment's .log file with a count of its users: opened for the first, closed by the last. So descriptors
// are few, and a section being sent keeps its file open while retention deletes it.
type Handle struct {
	mu   sync.Mutex
	file disk.File
	refs int
	gone bool // the name may be another log's by now
}

// retire lets nobody open the file by its name any more; who has it open keeps it.
func (h *Handle) retire() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gone = true
}

// retired reports whether the name may be another log's by now.
func (h *Handle) retired() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.gone
}

// acquire counts one more user and opens the segment's file when there was none.
func (h *Handle) acquire(s *Segment) (disk.File, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.file == nil && h.gone {
		return nil, fault.Storage("segment.open", disk.ErrNotExist)
	}
	if h.file == nil {
		f, err := s.fs.Open(s.Path(LogSuffix), disk.Write) // the path is made here, since it is allocated
		if err != nil {
			return nil, fault.Storage("segment.open", err)
		}
		h.file = f
	}
	h.refs++
	return h.file, nil
}

// opened counts one more user of a file that is open already.
func (h *Handle) opened() (disk.File, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.file == nil {
		return nil, false
	}
	h.refs++
	return h.file, true
}

// adopt takes over a file that was just created, with one user.
func (h *Handle) adopt(f disk.File) {
	must.Hold(h.file == nil, "segment file opened twice")
	h.file, h.refs = f, 1
}

// Release gives one use up. Nothing was promised about unsynced bytes, so an error of close says nothing new.
func (h *Handle) Release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	must.Hold(h.refs > 0, "segment file released too often")
	h.refs--
	if h.refs == 0 {
		_ = h.file.Close()
		h.file = nil
	}
}
