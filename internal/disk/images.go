package disk

import (
	"math/bits"
	"math/rand/v2"
)

// maxWhole is up to how many images a moment's images are numbered one by one. Beyond it the numbers first go along each
// directory and each file by itself, with everything else kept and with everything else lost, and then draw the rest.
const maxWhole = 1 << 12

// Images are all the images that a crash at one moment may leave: for each directory which of its unsynced name changes
// survive, and for each file in which state it is. A number names the same image in every run.
type Images struct {
	mem    *Mem
	axes   []axis
	place  map[any]int // of a node among the axes
	whole  uint64      // how many there are, 0 for more than maxWhole
	sweeps uint64
}

// axis is one thing that a crash decides, with values from 0, nothing is kept, to size-1, everything is.
type axis struct {
	size  int
	names []survivors // of a directory
	tears *tears      // of a file
}

// survivors are the changes of a directory's names that a crash leaves: the first ones, as a journal keeps them, or some,
// for POSIX promises no order and btrfs keeps none.
type survivors struct {
	first int
	mask  uint64
	some  bool
}

func (k survivors) has(i int) bool {
	if k.some {
		return k.mask>>(i%64)&1 == 1
	}
	return i < k.first
}

// survivorsOf lists what a crash may leave of n changes: nothing first, everything last.
func survivorsOf(n int) (out []survivors) {
	for first := range n {
		out = append(out, survivors{first: first})
	}
	r := rand.New(rand.NewPCG(uint64(n), 13))
	for i := range uint64(someMasks) {
		switch {
		case n > maxSectors:
			out = append(out, survivors{mask: r.Uint64(), some: true})
		case i < 1<<n && i&(i+1) != 0: // those without a gap are there already
			out = append(out, survivors{mask: i, some: true})
		}
	}
	return append(out, survivors{first: n})
}

// Images lists the images of this moment. They are valid until m changes.
func (m *Mem) Images() *Images {
	m.mu.Lock()
	defer m.mu.Unlock()
	im := &Images{mem: m, place: map[any]int{}}
	im.visit(m.root)
	im.whole = 1
	for _, a := range im.axes {
		im.sweeps += 2 * uint64(a.size)
		if hi, lo := bits.Mul64(im.whole, uint64(a.size)); im.whole > 0 && hi == 0 && lo <= maxWhole {
			im.whole = lo
		} else {
			im.whole = 0
		}
	}
	return im
}

// visit finds the axes of a node and what is below it.
func (im *Images) visit(n any) {
	if _, seen := im.place[n]; seen {
		return
	}
	im.place[n] = -1
	switch n := n.(type) {
	case *memDir:
		if len(n.changes) > 0 {
			names := survivorsOf(len(n.changes))
			im.add(n, axis{size: len(names), names: names})
		}
		n.each(im.visit)
	case *memFile:
		if len(n.pending) > 0 {
			t := newTears(n)
			t.distinct()
			im.add(n, axis{size: len(t.list), tears: t})
		}
	}
}

func (im *Images) add(n any, a axis) {
	im.place[n] = len(im.axes)
	im.axes = append(im.axes, a)
}

// Len returns how many numbers there are before they repeat themselves; beyond the first of them, when it is not all,
// every number draws another image.
func (im *Images) Len() (n uint64, all bool) {
	if im.whole > 0 {
		return im.whole, true
	}
	return im.sweeps, false
}

// choice returns what image n takes on each axis.
func (im *Images) choice(n uint64) []int {
	out := make([]int, len(im.axes))
	if im.whole > 0 {
		for i, a := range im.axes {
			out[i] = int(n % uint64(a.size))
			n /= uint64(a.size)
		}
		return out
	}
	if n < im.sweeps {
		for i, a := range im.axes {
			if n >= 2*uint64(a.size) {
				n -= 2 * uint64(a.size)
				continue
			}
			if n%2 == 1 {
				for j, other := range im.axes {
					out[j] = other.size - 1
				}
			}
			out[i] = int(n / 2)
			break
		}
		return out
	}
	r := rand.New(rand.NewPCG(n, 11))
	for i, a := range im.axes {
		switch r.IntN(4) {
		case 0:
		case 1:
			out[i] = a.size - 1
		default:
			out[i] = r.IntN(a.size)
		}
	}
	return out
}

// Image makes image n. Images of one moment that are the same have the same key; others hardly ever have.
func (im *Images) Image(n uint64) (m *Mem, key uint64) {
	choice := im.choice(n)
	key = 14695981039346656037
	mix := func(v uint64) { key = (key ^ v) * 1099511628211; key ^= key >> 29 }
	m = im.mem.image(func(d *memDir) survivors {
		if at := im.place[d]; at >= 0 {
			mix(uint64(at))
			mix(uint64(choice[at]))
			return im.axes[at].names[choice[at]]
		}
		return survivors{}
	}, func(f *memFile) content {
		at := im.place[f]
		if at < 0 {
			return f.durable()
		}
		t := im.axes[at].tears.get(choice[at])
		mix(uint64(at))
		mix(t.hash)
		return t.content.share()
	})
	return m, key
}
