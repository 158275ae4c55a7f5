package segment

import (
	"sync"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/must"
)

// Handle is a segment's .log file with a count of its users. It is opened for the first; after the last it stays open among
// the idle ones of Handles, when there are any, until others are used more. A section being sent is a user: it keeps its
// file open while retention deletes it.
type Handle struct {
	kept *Handles // nil: closed by the last user
	held bool     // one user is the writer, whose this is
	lost bool     // the name was taken away; the writer's, too

	mu   sync.Mutex
	file disk.File
	refs int
	gone bool // the name may be another log's by now

	prev, next *Handle // among the idle ones, under the mutex of Handles; nil when it is not
}

// retire lets nobody open the file by its name any more; who has it open keeps it.
func (h *Handle) retire() {
	h.mu.Lock()
	h.gone = true
	h.mu.Unlock()
	h.closeIdle()
}

// retired reports whether the name may be another log's by now.
func (h *Handle) retired() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.gone
}

// closeIdle closes the file if nobody uses it.
func (h *Handle) closeIdle() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refs == 0 && h.file != nil {
		h.kept.remove(h)
		h.close()
	}
}

// close closes the file, of which nobody was promised anything about unsynced bytes: an error says nothing new.
func (h *Handle) close() {
	_ = h.file.Close()
	h.file = nil
	h.kept.closed()
}

// acquire counts one more user and opens the segment's file when it isn't.
func (h *Handle) acquire(s *Segment) (disk.File, error) {
	f, oldest, err := h.use(s)
	if oldest != nil {
		oldest.closeIdle()
	}
	return f, err
}

// use is acquire, but for an idle file that the caller is to close.
func (h *Handle) use(s *Segment) (file disk.File, oldest *Handle, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.file == nil && h.gone {
		return nil, nil, fault.Storage("segment.open", disk.ErrNotExist)
	}
	if h.file == nil {
		f, err := s.fs.Open(s.Path(LogSuffix), disk.Write) // the path is made here, since it is allocated
		if err != nil {
			return nil, nil, fault.Storage("segment.open", err)
		}
		h.file = f
		oldest = h.kept.opened()
	} else if h.refs == 0 {
		h.kept.remove(h)
	}
	h.refs++
	return h.file, oldest, nil
}

// isOpen reports whether a use needs no further descriptor.
func (h *Handle) isOpen() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.file != nil
}

// keep lets a file stay open among the idle ones; it may just have been created.
func (h *Handle) keep(k *Handles) {
	h.kept = k
	if h.file == nil {
		return
	}
	if oldest := k.opened(); oldest != nil {
		oldest.closeIdle()
	}
}

// opened counts one more user of a file that is open already.
func (h *Handle) opened() (disk.File, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.file == nil {
		return nil, false
	}
	if h.refs == 0 {
		h.kept.remove(h)
	}
	h.refs++
	return h.file, true
}

// adopt takes over a file that was just created, with one user.
func (h *Handle) adopt(f disk.File) {
	must.Hold(h.file == nil, "segment file opened twice")
	h.file, h.refs = f, 1
}

// Release gives one use up.
func (h *Handle) Release() {
	h.mu.Lock()
	if h.refs <= 0 {
		must.Hold(false, "segment file released too often")
	}
	h.refs--
	var oldest *Handle
	if h.refs == 0 {
		if h.kept == nil || h.gone {
			h.close()
		} else {
			oldest = h.kept.add(h)
		}
	}
	h.mu.Unlock()
	if oldest != nil {
		oldest.closeIdle()
	}
}
