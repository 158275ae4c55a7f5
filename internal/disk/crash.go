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
	return m.image(func(d *memDir) survivors { return survivors{first: r.IntN(len(d.changes) + 1)} }, func(f *memFile) content { return f.torn(r) })
}

// PowerCut returns the harshest image: only what was synced survives.
func (m *Mem) PowerCut() *Mem {
	return m.image(func(*memDir) survivors { return survivors{} }, (*memFile).durable)
}

// Killed returns what the next process finds after kill -9: everything, since the page cache survives, still unsynced
// where it was.
func (m *Mem) Killed() *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &Mem{root: m.root, locks: map[string]bool{}, files: m.files}
}

// Evict drops from memory what is clean. That changes what is read only of files whose sync has failed: of those it brings back
// what the disk has.
func (m *Mem) Evict() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.root.tree(map[any]bool{}, func(*memDir) {}, (*memFile).evict)
}

// Copy returns a disk that goes its own way, unsynced where m is.
func (m *Mem) Copy() *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.twin()
}

// image builds a new file system from which changes of each directory are kept, and the bytes of each file.
func (m *Mem) image(keep func(*memDir) survivors, bytes func(*memFile) content) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := &Mem{locks: map[string]bool{}, files: m.files}
	files := map[*memFile]*memFile{} // one file may have two names in between
	var copyDir func(d *memDir) *memDir
	copyDir = func(d *memDir) *memDir {
		names := d.after(keep(d))
		to := &memDir{names: make(map[string]any, len(names))}
		for _, name := range sortedNames(names) { // sorted: the dice are thrown in a fixed order
			switch v := names[name].(type) {
			case *memDir:
				to.names[name] = copyDir(v)
			case *memFile:
				f := files[v]
				if f == nil {
					v.mu.Lock()
					f = &memFile{id: v.id, now: bytes(v)}
					v.mu.Unlock()
					files[v] = f
				}
				to.names[name] = f
			}
		}
		return to
	}
	out.root = copyDir(m.root)
	return out
}

// twin returns a copy that goes its own way, unsynced where m is. Called with the mutex held.
func (m *Mem) twin() *Mem {
	dirs, files := map[*memDir]*memDir{}, map[*memFile]*memFile{}
	var node func(n any) any
	node = func(n any) any {
		switch n := n.(type) {
		case *memFile:
			if files[n] == nil {
				n.mu.Lock()
				files[n] = &memFile{id: n.id, now: n.now.share(), synced: n.synced.share(), pending: n.pending[:len(n.pending):len(n.pending)], parted: n.parted}
				n.mu.Unlock()
			}
			return files[n]
		case *memDir:
			if to := dirs[n]; to != nil {
				return to
			}
			to := newMemDir()
			dirs[n] = to
			for name, inner := range n.names {
				to.names[name] = node(inner)
			}
			if n.durable != nil {
				to.durable = make(map[string]any, len(n.durable))
			}
			for name, inner := range n.durable {
				to.durable[name] = node(inner)
			}
			for _, c := range n.changes {
				var copied nameChange
				for _, s := range c {
					s.node = node(s.node)
					copied = append(copied, s)
				}
				to.changes = append(to.changes, copied)
			}
			return to
		}
		return nil
	}
	return &Mem{root: node(m.root).(*memDir), locks: map[string]bool{}, files: m.files}
}

// each visits every node that the directory holds, or would hold after a crash; in a fixed order, some of them twice.
func (d *memDir) each(visit func(n any)) {
	for _, name := range sortedNames(d.durable) {
		visit(d.durable[name])
	}
	for _, c := range d.changes {
		for _, s := range c {
			if s.node != nil {
				visit(s.node)
			}
		}
	}
	if d.durable == nil {
		for _, name := range sortedNames(d.names) {
			visit(d.names[name])
		}
	}
}

func sortedNames(names map[string]any) []string {
	out := make([]string, 0, len(names))
	for name := range names {
		out = append(out, name)
	}
	sort.Strings(out)
	return out
}

// torn returns the synced file with some of what was written since.
func (f *memFile) torn(r *rand.Rand) content {
	out := f.durable()
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
func (c *content) tear(r *rand.Rand, w *memWrite) {
	end := w.off + int64(len(w.data))
	switch kind := r.IntN(4); {
	case w.truncate || len(w.data) == 0 || kind < 2:
		c.redo(w)
	case kind == 2:
		if n := r.IntN(len(w.data) + 1); n > 0 {
			c.writeAt(w.data[:n], w.off)
		}
	default:
		c.truncate(max(c.size, end))
		for at := w.off; at < end; {
			next := min((at/Sector+1)*Sector, end)
			if r.IntN(2) == 0 {
				c.writeAt(w.data[at-w.off:next-w.off], at)
			}
			at = next
		}
	}
}

func (c *content) redo(w *memWrite) {
	if w.truncate {
		c.truncate(w.off)
		return
	}
	c.writeAt(w.data, w.off)
}
