package segment

import "sync"

// Handles keeps files of segments open that nobody uses just now, the most recently used ones, so that a reader of an old
// segment does not open it for each fetch; and no more than so many, since descriptors are few. Files in use count, so that
// idle ones make room for them. They are open in any case; but who can wait asks first, and opens no further one while
// too many are in use (Crowded). A node has one, and it is safe for concurrent use.
type Handles struct {
	mu   sync.Mutex
	most int
	n    int    // idle
	open int    // idle or in use
	root Handle // of the ring; root.next was used last
}

// NewHandles keeps that many files open, as long as no more are in use.
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

// InUse returns how many files are open that somebody uses, and how many may be open.
func (k *Handles) InUse() (used, most int) {
	if k == nil {
		return 0, 0
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.open - k.n, k.most
}

// Crowded reports whether one of so many parts of what may be open is in use. There is always room for one, and without
// Handles for all.
func (k *Handles) Crowded(parts int) bool {
	used, most := k.InUse()
	return used > 0 && used >= most/parts
}

// opened counts a file that was opened, and returns an idle one that is to be closed for it; nil for none.
func (k *Handles) opened() (oldest *Handle) {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.open++
	return k.surplus()
}

// closed counts a file that was closed.
func (k *Handles) closed() {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.open--
}

// add takes in a file whose last user has left, and returns the one that is to be closed instead, perhaps the same.
func (k *Handles) add(h *Handle) (oldest *Handle) {
	k.mu.Lock()
	defer k.mu.Unlock()
	h.prev, h.next = &k.root, k.root.next
	h.prev.next, h.next.prev = h, h
	k.n++
	return k.surplus()
}

// surplus takes out the idle file that was used longest ago when too many are open; it is the caller's to close.
func (k *Handles) surplus() (oldest *Handle) {
	if k.n == 0 || k.open <= k.most {
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
