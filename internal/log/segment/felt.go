package segment

import (
	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/record"
)

// felt is what a question has learnt of what is in memory.
type felt struct {
	asked    int64 // bytes that the question is about
	done     bool
	from, to int64 // was in memory before anything was read
}

// mostFelt bounds what one question asks the kernel about.
const mostFelt = 4 << 20

// feel asks, once and before the first header is read from the file, whether what the question is about is in memory. Reading
// brings what follows into memory too, the kernel's way, and afterwards nobody could tell that it came from the disk.
func (k *Look) feel(pos int64) {
	m := &k.memory
	cache, ok := k.file.(disk.Cache)
	n := min(m.asked+record.HeaderSize, k.size-pos)
	if m.done || !ok || n <= 0 {
		return
	}
	m.done = true
	if cache.Resident(pos, n) {
		m.from, m.to = pos, pos+n
		return
	}
	k.forget(pos)
}

// Known reports whether a range has to come from the disk, and if not, whether it was written or checked by this process and has
// been in memory since, as far as the operating system tells (architecture D5). From one that has to come from the disk on nothing
// counts as checked any more: what is read ahead with it, by us or by the kernel, is no more believed than the range itself.
func (k *Look) Known(r *Range) (absent, checked bool) {
	if m := &k.memory; r.Pos < m.from || r.End > m.to {
		cache, ok := k.file.(disk.Cache)
		if absent = ok && !cache.Resident(r.Pos, r.End-r.Pos); absent {
			k.forget(r.Pos)
			return true, false
		}
	}
	return false, k.seg.reads.checked.covers(r.Pos, min(r.End, k.size))
}

// forget takes back what was checked from a position on.
func (k *Look) forget(pos int64) { k.seg.reads.checked.cut(pos) }
