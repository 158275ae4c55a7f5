package cow

import "iter"

// Change is one key that two versions may differ in; nil on the side that has no such key. What lies in one chunk with a
// change appears too, with equal values: who cares compares them.
type Change[K, V any] struct {
	Key K
	Old *V
	New *V
}

// Changes walks, in key order, what was put or deleted between two versions of one map. Subtrees that both share are
// skipped unseen, so the cost is that of the changes and not of the map.
func Changes[K, V any](old, new Map[K, V]) iter.Seq[Change[K, V]] {
	return func(yield func(Change[K, V]) bool) {
		a, b := cursorAt(old.root), cursorAt(new.root)
		for !a.done() || !b.done() {
			x, y := a.here(), b.here()
			switch {
			case x.kid != nil && x.kid == y.kid:
				a.skip()
				b.skip()
			case x.kid != nil || y.kid != nil:
				if !apart(new.order, a, b, x, y, yield) {
					return
				}
			default:
				if !entries(new.order, a, b, x, y, yield) {
					return
				}
			}
		}
	}
}

// apart moves on where at least one side stands before a subtree that the other does not share. Opening a subtree is
// always right; which one is opened first only decides whether shared ones meet.
func apart[K, V any](order Order[K], a, b *cursor[K, V], x, y place[K, V], yield func(Change[K, V]) bool) bool {
	switch {
	case a.done():
		b.open()
	case b.done():
		a.open()
	case x.kid == nil: // an entry on the left
		if order(*x.key, y.kid.keys[0]) < 0 {
			a.skip()
			return yield(Change[K, V]{Key: *x.key, Old: x.val})
		}
		b.open()
	case y.kid == nil:
		if order(*y.key, x.kid.keys[0]) < 0 {
			b.skip()
			return yield(Change[K, V]{Key: *y.key, New: y.val})
		}
		a.open()
	default:
		ha, hb := x.kid.height(), y.kid.height()
		c := order(x.kid.keys[0], y.kid.keys[0])
		if ha > hb || ha == hb && c <= 0 {
			a.open()
		}
		if hb > ha || ha == hb && c >= 0 {
			b.open()
		}
	}
	return true
}

// entries compares where both sides stand on an entry, or one on an entry and the other at its end.
func entries[K, V any](order Order[K], a, b *cursor[K, V], x, y place[K, V], yield func(Change[K, V]) bool) bool {
	c := 0
	switch {
	case x.key == nil:
		c = 1
	case y.key == nil:
		c = -1
	default:
		c = order(*x.key, *y.key)
	}
	switch {
	case c < 0:
		a.skip()
		return yield(Change[K, V]{Key: *x.key, Old: x.val})
	case c > 0:
		b.skip()
		return yield(Change[K, V]{Key: *y.key, New: y.val})
	}
	a.skip()
	b.skip()
	return yield(Change[K, V]{Key: *y.key, Old: x.val, New: y.val})
}

// place is what a cursor stands before: a subtree, an entry, or nothing at the end.
type place[K, V any] struct {
	kid *node[K, V]
	key *K
	val *V
}

// cursor walks a tree and may skip whole subtrees.
type cursor[K, V any] struct{ path []frame[K, V] }

type frame[K, V any] struct {
	n *node[K, V]
	i int
}

func cursorAt[K, V any](root *node[K, V]) *cursor[K, V] {
	c := &cursor[K, V]{}
	if root != nil {
		above := &node[K, V]{keys: root.keys[:1], kids: []*node[K, V]{root}}
		c.path = append(c.path, frame[K, V]{n: above})
	}
	return c
}

func (c *cursor[K, V]) done() bool { return len(c.path) == 0 }

func (c *cursor[K, V]) here() place[K, V] {
	if c.done() {
		return place[K, V]{}
	}
	f := c.path[len(c.path)-1]
	if f.n.leaf() {
		return place[K, V]{key: &f.n.keys[f.i], val: &f.n.vals[f.i]}
	}
	return place[K, V]{kid: f.n.kids[f.i]}
}

// open goes into the subtree that the cursor stands before.
func (c *cursor[K, V]) open() { c.path = append(c.path, frame[K, V]{n: c.here().kid}) }

// skip goes past the subtree or entry.
func (c *cursor[K, V]) skip() {
	for len(c.path) > 0 {
		f := &c.path[len(c.path)-1]
		if f.i++; f.i < len(f.n.keys) {
			return
		}
		c.path = c.path[:len(c.path)-1]
	}
}

func (n *node[K, V]) height() int {
	h := 0
	for ; !n.leaf(); n = n.kids[0] {
		h++
	}
	return h
}
