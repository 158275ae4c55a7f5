package produce

import "sync"

// names keeps topic names of requests as strings, so that the next request of the same topic allocates none. It forgets
// all of them when there are many, since anybody can ask for anything.
type names struct {
	mu    sync.RWMutex
	known map[string]string
}

const mostNames = 10_000

func (n *names) of(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	n.mu.RLock()
	s, ok := n.known[string(b)]
	n.mu.RUnlock()
	if ok {
		return s
	}
	s = string(b)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.known == nil || len(n.known) >= mostNames {
		n.known = map[string]string{}
	}
	n.known[s] = s
	return s
}
