package cow

import "slices"

// Edit is a version in the making.
type Edit[K, V any] struct {
	m    Map[K, V]
	mark *mark
}

// Seal returns the version made. The Edit may go on: it then copies again what the sealed version holds.
func (e *Edit[K, V]) Seal() Map[K, V] {
	e.mark = new(mark)
	return e.m
}

// Len returns the number of entries.
func (e *Edit[K, V]) Len() int { return e.m.size }

// Get returns the value of a key.
func (e *Edit[K, V]) Get(key K) (V, bool) { return e.m.Get(key) }

// Find returns the place of a key's value as it is before the next change, nil when there is none.
func (e *Edit[K, V]) Find(key K) *V { return e.m.Find(key) }

// own returns the node itself when this Edit made it, else a copy that it may change.
func (e *Edit[K, V]) own(n *node[K, V]) *node[K, V] {
	if n.owner == e.mark {
		return n
	}
	return &node[K, V]{owner: e.mark, keys: slices.Clone(n.keys), vals: slices.Clone(n.vals), kids: slices.Clone(n.kids)}
}

// Put sets the value of a key.
func (e *Edit[K, V]) Put(key K, val V) {
	if e.m.root == nil {
		e.m.root = &node[K, V]{owner: e.mark, keys: []K{key}, vals: []V{val}}
		e.m.size = 1
		return
	}
	root, split := e.put(e.m.root, key, val)
	if split != nil {
		root = &node[K, V]{owner: e.mark, keys: []K{root.keys[0], split.keys[0]}, kids: []*node[K, V]{root, split}}
	}
	e.m.root = root
}

// put sets the key below n and returns n as changed, with the right part that it gave off when it was full.
func (e *Edit[K, V]) put(n *node[K, V], key K, val V) (changed, split *node[K, V]) {
	n = e.own(n)
	if n.leaf() {
		i, found := n.search(e.m.order, key)
		if found {
			n.vals[i] = val
			return n, nil
		}
		n.keys = slices.Insert(n.keys, i, key)
		n.vals = slices.Insert(n.vals, i, val)
		e.m.size++
		return n, e.split(n, i)
	}
	i := n.child(e.m.order, key)
	kid, part := e.put(n.kids[i], key, val)
	n.kids[i], n.keys[i] = kid, kid.keys[0]
	if part == nil {
		return n, nil
	}
	n.keys = slices.Insert(n.keys, i+1, part.keys[0])
	n.kids = slices.Insert(n.kids, i+1, part)
	return n, e.split(n, i+1)
}

// split halves a node that has grown too large; one that grew at its end keeps all but the last, so that keys that come
// in order leave full nodes behind.
func (e *Edit[K, V]) split(n *node[K, V], grew int) *node[K, V] {
	if len(n.keys) <= fanout {
		return nil
	}
	at := len(n.keys) / 2
	if grew == len(n.keys)-1 {
		at = grew
	}
	right := &node[K, V]{owner: e.mark, keys: slices.Clone(n.keys[at:])}
	if n.leaf() {
		right.vals = slices.Clone(n.vals[at:])
		n.vals = cut(n.vals, at)
	} else {
		right.kids = slices.Clone(n.kids[at:])
		n.kids = cut(n.kids, at)
	}
	n.keys = cut(n.keys, at)
	return right
}

// cut shortens a slice into memory that fits, so that a full node keeps no room and no stale pointers.
func cut[T any](s []T, n int) []T { return slices.Clone(s[:n:n]) }

// Delete removes a key and reports whether it was there.
func (e *Edit[K, V]) Delete(key K) bool {
	if e.m.Find(key) == nil {
		return false
	}
	e.m.size--
	root := e.remove(e.m.root, key)
	for !root.leaf() && len(root.kids) == 1 {
		root = root.kids[0]
	}
	if len(root.keys) == 0 {
		root = nil
	}
	e.m.root = root
	return true
}

// remove takes a key that is there out from below n.
func (e *Edit[K, V]) remove(n *node[K, V], key K) *node[K, V] {
	n = e.own(n)
	if n.leaf() {
		i, _ := n.search(e.m.order, key)
		n.keys = slices.Delete(n.keys, i, i+1)
		n.vals = slices.Delete(n.vals, i, i+1)
		return n
	}
	i := n.child(e.m.order, key)
	kid := e.remove(n.kids[i], key)
	n.kids[i] = kid
	switch {
	case len(kid.keys) == 0:
		n.keys = slices.Delete(n.keys, i, i+1)
		n.kids = slices.Delete(n.kids, i, i+1)
	case len(kid.keys) < sparse && i+1 < len(n.kids):
		n.keys[i] = kid.keys[0]
		e.join(n, i)
	case len(kid.keys) < sparse && i > 0:
		n.keys[i] = kid.keys[0]
		e.join(n, i-1)
	default:
		n.keys[i] = kid.keys[0]
	}
	return n
}

// join puts children i and i+1 of n together when they fit one node.
func (e *Edit[K, V]) join(n *node[K, V], i int) {
	l, r := n.kids[i], n.kids[i+1]
	if len(l.keys)+len(r.keys) > fanout {
		return
	}
	l = e.own(l)
	l.keys = append(l.keys, r.keys...)
	l.vals = append(l.vals, r.vals...)
	l.kids = append(l.kids, r.kids...)
	n.kids[i] = l
	n.keys = slices.Delete(n.keys, i+1, i+2)
	n.kids = slices.Delete(n.kids, i+1, i+2)
}
