package disk

import (
	"math/rand/v2"
	"sort"
)

// Sector is the unit in which a device tears a write, bytes.
const Sector = 512

// Crash returns one legal image after a power cut, drawn from r: of each directory's unsynced name changes a prefix
// survives; of each file's unsynced writes any subset does, each whole, torn after a sector, or with sectors missing.
// m itself is left as it is.
func (m *Mem) Crash(r *rand.Rand) *Mem {
	return m.image(func(d *memDir) int { return r.IntN(len(d.changes) + 1) }, func(f *memFile) *memFile { return f.torn(r) })
}

// PowerCut returns the harshest image: only what was synced survives.
func (m *Mem) PowerCut() *Mem {
	return m.image(func(*memDir) int { return 0 }, (*memFile).synced)
}

// Killed returns what the next process finds after kill -9: everything, since the page cache survives, still unsynced
// where it was.
func (m *Mem) Killed() *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &Mem{root: m.root, locks: map[string]bool{}}
}

// image builds a new file system from the durable names and keep of the changes of each directory.
func (m *Mem) image(keep func(*memDir) int, bytes func(*memFile) *memFile) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	files := map[*memFile]*memFile{} // one file may have two names in between
	var copyDir func(d *memDir) *memDir
	copyDir = func(d *memDir) *memDir {
		names := make(map[string]any, len(d.durable))
		for name, n := range d.durable {
			names[name] = n
		}
		for _, c := range d.changes[:keep(d)] {
			c.apply(names)
		}
		out := newMemDir()
		for _, name := range sortedNames(names) { // sorted: the dice are thrown in a fixed order
			var n any
			switch v := names[name].(type) {
			case *memDir:
				n = copyDir(v)
			case *memFile:
				if files[v] == nil {
					files[v] = bytes(v)
				}
				n = files[v]
			}
			out.names[name], out.durable[name] = n, n
		}
		return out
	}
	return &Mem{root: copyDir(m.root), locks: map[string]bool{}}
}

func sortedNames(names map[string]any) []string {
	out := make([]string, 0, len(names))
	for name := range names {
		out = append(out, name)
	}
	sort.Strings(out)
	return out
}

// synced returns the file as it was at its last sync.
func (f *memFile) synced() *memFile {
	f.mu.RLock()
	defer f.mu.RUnlock()
	out := &memFile{}
	out.writeAt(f.slice(0, f.size), 0)
	out.truncate(f.size)
	for i := len(f.pending) - 1; i >= 0; i-- {
		out.undo(&f.pending[i])
	}
	return out
}

// torn returns the synced file with some of what was written since.
func (f *memFile) torn(r *rand.Rand) *memFile {
	out := f.synced()
	f.mu.RLock()
	defer f.mu.RUnlock()
	keepAll := r.IntN(4) == 0
	prefix := r.IntN(len(f.pending) + 1)
	ordered := r.IntN(2) == 0 // many devices keep the order
	for i := range f.pending {
		w := &f.pending[i]
		switch {
		case keepAll || ordered && i < prefix:
			out.redo(w)
		case ordered && i == prefix:
			out.tear(r, w)
			return out
		case ordered:
			return out
		case r.IntN(2) == 0:
			out.tear(r, w)
		}
	}
	return out
}

// tear redoes a write as a device may have left it: whole, a part from its beginning, or some of its sectors, with
// zeros or what was there before in place of the others.
func (f *memFile) tear(r *rand.Rand, w *memWrite) {
	end := w.off + int64(len(w.data))
	switch kind := r.IntN(4); {
	case w.truncate || len(w.data) == 0 || kind < 2:
		f.redo(w)
	case kind == 2:
		if n := r.IntN(len(w.data) + 1); n > 0 {
			f.writeAt(w.data[:n], w.off)
		}
	default:
		f.truncate(max(f.size, end))
		for at := w.off; at < end; {
			next := min((at/Sector+1)*Sector, end)
			if r.IntN(2) == 0 {
				f.writeAt(w.data[at-w.off:next-w.off], at)
			}
			at = next
		}
	}
}

func (f *memFile) redo(w *memWrite) {
	if w.truncate {
		f.truncate(w.off)
		return
	}
	f.writeAt(w.data, w.off)
}
