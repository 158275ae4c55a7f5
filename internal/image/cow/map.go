// Package cow is an ordered map whose versions share what they have in common: a B+ tree that copies the path to a
// change and nothing else (architecture D15).
//
// image builds the cluster out of it. A Map is immutable once its Edit is sealed; an Edit changes in place what it has
// itself copied, so that a batch of changes copies each chunk once. Changes finds what differs between two versions
// and skips every subtree that they share. Iteration is in key order, so nothing decided from it depends on chance.
// It never locks: a sealed Map may be read by everybody, an Edit belongs to one.
package cow

import "iter"

const (
	fanout = 32         // the most entries of a leaf or children of a branch
	sparse = fanout / 4 // below this a node is joined with a neighbour when both fit one
)

// Order compares two keys as cmp.Compare does.
type Order[K any] func(a, b K) int

// Map is one version. The zero Map is not usable; begin with New.
type Map[K, V any] struct {
	order Order[K]
	root  *node[K, V]
	size  int
}

// node is a leaf, which has vals, or a branch, which has kids; keys[i] of a branch is the smallest key under kids[i]
// when kids[i] was last changed, and never larger than any key under it.
type node[K, V any] struct {
	owner *mark
	keys  []K
	vals  []V
	kids  []*node[K, V]
}

// mark identifies the Edit that may change a node in place.
type mark struct{ _ byte }

func (n *node[K, V]) leaf() bool { return n.kids == nil }

// New returns an empty map.
func New[K, V any](order Order[K]) Map[K, V] { return Map[K, V]{order: order} }

// Len returns the number of entries.
func (m Map[K, V]) Len() int { return m.size }

// Get returns the value of a key.
func (m Map[K, V]) Get(key K) (V, bool) {
	if p := m.Find(key); p != nil {
		return *p, true
	}
	var none V
	return none, false
}

// Find returns the place of a key's value, nil when there is none. Nobody may write there.
func (m Map[K, V]) Find(key K) *V {
	n := m.root
	if n == nil {
		return nil
	}
	for !n.leaf() {
		n = n.kids[n.child(m.order, key)]
	}
	if i, ok := n.search(m.order, key); ok {
		return &n.vals[i]
	}
	return nil
}

// search returns where the key is or would stand in keys.
func (n *node[K, V]) search(order Order[K], key K) (int, bool) {
	lo, hi := 0, len(n.keys)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		c := order(n.keys[mid], key)
		if c == 0 {
			return mid, true
		}
		if c < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, false
}

// child returns which child of a branch a key belongs to.
func (n *node[K, V]) child(order Order[K], key K) int {
	i, ok := n.search(order, key)
	if !ok && i > 0 {
		i--
	}
	return i
}

// All walks the entries in key order.
func (m Map[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		if m.root != nil {
			m.root.walk(yield)
		}
	}
}

func (n *node[K, V]) walk(yield func(K, V) bool) bool {
	if n.leaf() {
		for i := range n.keys {
			if !yield(n.keys[i], n.vals[i]) {
				return false
			}
		}
		return true
	}
	for _, k := range n.kids {
		if !k.walk(yield) {
			return false
		}
	}
	return true
}

// Refs walks the entries in key order without copying values. Nobody may write to them.
func (m Map[K, V]) Refs() iter.Seq2[K, *V] {
	return func(yield func(K, *V) bool) {
		if m.root != nil {
			m.root.walkRefs(yield)
		}
	}
}

func (n *node[K, V]) walkRefs(yield func(K, *V) bool) bool {
	for i := range n.vals {
		if !yield(n.keys[i], &n.vals[i]) {
			return false
		}
	}
	for _, k := range n.kids {
		if !k.walkRefs(yield) {
			return false
		}
	}
	return true
}

// From walks the entries at and above a key in key order.
func (m Map[K, V]) From(key K) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		if m.root != nil {
			m.root.walkFrom(m.order, key, yield)
		}
	}
}

func (n *node[K, V]) walkFrom(order Order[K], key K, yield func(K, V) bool) bool {
	if n.leaf() {
		i, _ := n.search(order, key)
		for ; i < len(n.keys); i++ {
			if !yield(n.keys[i], n.vals[i]) {
				return false
			}
		}
		return true
	}
	i := n.child(order, key)
	if !n.kids[i].walkFrom(order, key, yield) {
		return false
	}
	for _, k := range n.kids[i+1:] {
		if !k.walk(yield) {
			return false
		}
	}
	return true
}

// Edit begins a changed version; the map itself stays as it is.
func (m Map[K, V]) Edit() *Edit[K, V] { return &Edit[K, V]{m: m, mark: new(mark)} }
