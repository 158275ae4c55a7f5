package segment

import "sync"

// Handles keeps files of segments open that nobody uses just now, the most recently used ones, so that a reader of an old
// segment does not open it for each fetch; and no more than so many, since descriptors are few. Files in use don't count:
// they are open in any case. A node has one, and it is safe for concurrent use.
type Handles struct {
	mu   sync.Mutex
	most int
	n    int
	root Handle // of the ring; root.next was used last
}

// NewHandles keeps that many files open.
func NewHandles(most int) *Handles {
	k := &Handles{most: most}
	k.root.prev, k.root.next = &k.root, &k.root
	return k
}

// Idle returns how many files are open that nobody uses.
func (k *Handles) Idle() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.n
}

// add takes in a file whose last user has left, and returns the one that is to be closed instead, perhaps the same.
func (k *Handles) add(h *Handle) (oldest *Handle) {
	k.mu.Lock()
	defer k.mu.Unlock()
	h.prev, h.next = &k.root, k.root.next
	h.prev.next, h.next.prev = h, h
	if k.n++; k.n <= k.most {
		return nil
	}
	oldest = k.root.prev
	k.unlink(oldest)
	return oldest
}

// remove takes a file out, if it is in.
func (k *Handles) remove(h *Handle) {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if h.next != nil {
		k.unlink(h)
	}
}

func (k *Handles) unlink(h *Handle) {
	h.prev.next, h.next.prev = h.next, h.prev
	h.prev, h.next = nil, nil
	k.n--
}
