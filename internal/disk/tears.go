package disk

import (
	"hash/fnv"
	"math/rand/v2"
	"slices"
)

// Bounds of what is enumerated of one file. Beyond them cuts fall at fewer places and subsets are drawn.
const (
	maxCuts    = 4096 // cuts of one file's unsynced bytes
	maxSectors = 6    // pieces of which every subset is an image
	someMasks  = 64   // subsets drawn of more pieces
)

// tear is one state in which a crash may leave a file that has unsynced changes.
type tear struct {
	ops   int    // changes that reached the device whole, in order
	cut   int    // bytes of the next one that did, too
	meta  int    // the file's size, and what truncations did to it, are as after so many changes; -1: as the data needs
	mask  uint64 // of the pieces of all writes, those that reached the device, instead of ops and cut
	masks bool
}

// tears are all of them for one file, and those that were built.
type tears struct {
	file  *memFile
	list  []tear
	built []*torn
}

type torn struct {
	content content
	hash    uint64
}

// newTears lists what a crash may leave of a file. The first is the synced file, the last the file as it is.
func newTears(f *memFile) *tears {
	t := &tears{file: f}
	n := len(f.pending)
	total := 0
	for i := range f.pending {
		total += len(f.pending[i].data)
	}
	step := 1 + total/maxCuts
	sizes := f.sizes()
	for i := range f.pending {
		w := &f.pending[i]
		t.list = append(t.list, tear{ops: i, meta: -1}, tear{ops: i, meta: n})
		for cut := 0; cut < len(w.data); cut += step {
			t.list = append(t.list, tear{ops: i, cut: cut, meta: -1})
			if sizes[i+1] > sizes[i] { // longer than its data: zeros
				t.list = append(t.list, tear{ops: i, cut: cut, meta: i + 1})
			}
		}
	}
	for meta := range n { // shorter than its data, or a truncation that is lost though a later write is not
		t.list = append(t.list, tear{ops: n, meta: meta})
	}
	for _, mask := range t.subsets() {
		for meta := -1; meta <= n; meta++ {
			if n <= maxSectors || meta < 1 || meta == n {
				t.list = append(t.list, tear{mask: mask, masks: true, meta: meta})
			}
		}
	}
	t.list = append(t.list, tear{ops: n, meta: n})
	t.built = make([]*torn, len(t.list))
	return t
}

// sizes returns the file's size before and after each change.
func (f *memFile) sizes() []int64 {
	out := []int64{f.synced.size}
	for i := range f.pending {
		out = append(out, f.pending[i].size)
	}
	return out
}

// subsets returns the sets of pieces that are tried: all when the pieces are few.
func (t *tears) subsets() (masks []uint64) {
	pieces := 0
	for i := range t.file.pending {
		pieces += t.file.pending[i].pieces()
	}
	if pieces <= maxSectors {
		for mask := range uint64(1) << pieces {
			masks = append(masks, mask)
		}
		return masks
	}
	r := rand.New(rand.NewPCG(uint64(pieces), uint64(len(t.file.pending))))
	for range someMasks {
		masks = append(masks, r.Uint64())
	}
	return masks
}

// pieces counts the sectors that a write touches.
func (w *memWrite) pieces() int {
	if len(w.data) == 0 {
		return 0
	}
	return int((w.off+int64(len(w.data))-1)/Sector - w.off/Sector + 1)
}

// get builds one state.
func (t *tears) get(i int) *torn {
	if t.built[i] == nil {
		c := t.list[i].build(t.file)
		h := fnv.New64a()
		_, _ = h.Write(c.bytes())
		t.built[i] = &torn{content: c, hash: h.Sum64()}
	}
	return t.built[i]
}

func (k tear) build(f *memFile) content {
	c := f.durable()
	piece := 0
	for i := range f.pending {
		w := &f.pending[i]
		switch {
		case w.truncate:
			if i < k.meta || k.meta < 0 && (k.masks || i < k.ops) {
				c.truncate(w.off)
			}
		case k.masks:
			piece = k.some(&c, w, piece)
		case i < k.ops:
			c.writeAt(w.data, w.off)
		case i == k.ops && k.cut > 0:
			c.writeAt(w.data[:k.cut], w.off)
		}
	}
	if k.meta >= 0 {
		c.truncate(f.sizes()[k.meta])
	}
	return c
}

// some writes the pieces of a write that are in the mask; bits are used again beyond 64.
func (k tear) some(c *content, w *memWrite, piece int) int {
	end := w.off + int64(len(w.data))
	for at := w.off; at < end; piece++ {
		next := min((at/Sector+1)*Sector, end)
		if k.mask>>(piece%64)&1 == 1 {
			c.writeAt(w.data[at-w.off:next-w.off], at)
		}
		at = next
	}
	return piece
}

// distinct drops states of the same bytes, keeping the first and the last.
func (t *tears) distinct() {
	seen := map[uint64]bool{t.get(len(t.list) - 1).hash: true}
	last := len(t.list) - 1
	keep := 0
	for i := range t.list {
		h := t.get(i).hash
		if i != last && i != 0 && seen[h] {
			continue
		}
		seen[h] = true
		t.list[keep], t.built[keep] = t.list[i], t.built[i]
		keep++
	}
	t.list, t.built = slices.Clip(t.list[:keep]), t.built[:keep]
}
