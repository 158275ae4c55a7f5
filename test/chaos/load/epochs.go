package load

import "sync"

// epochs are the newest leader epochs that anybody has heard of, by partition.
type epochs struct {
	mu     sync.Mutex
	newest []int32
}

// hears takes what an answer says, and reports whether it is of no older epoch than another answer was.
func (e *epochs) hears(p, epoch int32) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if epoch < e.newest[p] {
		return false
	}
	e.newest[p] = epoch
	return true
}
