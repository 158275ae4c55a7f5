// Package timeline keeps values that were decided but not yet committed beside those that were, so that a machine can
// decide from the newest state, answer queries from the committed one, and go back when an append fails.
//
// machine/group is built from its Tables. Values are treated as immutable: whoever changes one puts a new one. It is
// pure, and it never decides anything.
//
// Invariants: offsets of puts never go back; Commit and Revert cost as much as the number of changes they settle;
// after Revert(to) no table shows anything put at or after to.
package timeline

import (
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
)

// Log is the common history of some tables: what was put and is not committed yet, in order of offset.
type Log struct {
	pending []change
}

type change struct {
	offset kafka.Offset
	cell   settler
}

type settler interface {
	commitOldest()
	revertNewest()
}

func (l *Log) add(o kafka.Offset, c settler) {
	if n := len(l.pending); n > 0 {
		must.Hold(l.pending[n-1].offset <= o, "put at offset %d after one at %d", o, l.pending[n-1].offset)
	}
	l.pending = append(l.pending, change{offset: o, cell: c})
}

// Commit settles everything put below to.
func (l *Log) Commit(to kafka.Offset) {
	n := 0
	for n < len(l.pending) && l.pending[n].offset < to {
		l.pending[n].cell.commitOldest()
		l.pending[n].cell = nil
		n++
	}
	switch {
	case n < len(l.pending):
		l.pending = l.pending[n:]
	case cap(l.pending) <= keptChanges:
		l.pending = l.pending[:0]
	default:
		l.pending = nil
	}
}

// keptChanges bounds the room that a settled history keeps for the next changes.
const keptChanges = 1 << 16

// Revert takes back everything put at or after to.
func (l *Log) Revert(to kafka.Offset) {
	n := len(l.pending)
	for n > 0 && l.pending[n-1].offset >= to {
		n--
		l.pending[n].cell.revertNewest()
		l.pending[n].cell = nil
	}
	l.pending = l.pending[:n]
}

// Pending returns how many changes are not settled.
func (l *Log) Pending() int { return len(l.pending) }

// Table maps keys to values with a history.
type Table[K comparable, V any] struct {
	log   *Log
	cells map[K]*cell[K, V]
	live  int // keys with a value in the newest view
}

// cell is the history of one key: the committed value and those put since, oldest first.
type cell[K comparable, V any] struct {
	table     *Table[K, V]
	key       K
	committed value[V]
	versions  []version[V]
}

type value[V any] struct {
	v  V
	is bool
}

type version[V any] struct {
	value[V]
	offset kafka.Offset
}

// NewTable returns an empty table of a history.
func NewTable[K comparable, V any](l *Log) *Table[K, V] {
	return &Table[K, V]{log: l, cells: map[K]*cell[K, V]{}}
}

// Get returns the newest value.
func (t *Table[K, V]) Get(k K) (V, bool) {
	if c := t.cells[k]; c != nil {
		n := c.newest()
		return n.v, n.is
	}
	var none V
	return none, false
}

// Committed returns the committed value.
func (t *Table[K, V]) Committed(k K) (V, bool) {
	if c := t.cells[k]; c != nil {
		return c.committed.v, c.committed.is
	}
	var none V
	return none, false
}

// Len returns how many keys have a newest value.
func (t *Table[K, V]) Len() int { return t.live }

// Empty reports whether no key has a value in any view.
func (t *Table[K, V]) Empty() bool { return len(t.cells) == 0 }

// Put sets the value that the record at an offset made.
func (t *Table[K, V]) Put(o kafka.Offset, k K, v V) { t.put(o, k, value[V]{v: v, is: true}) }

// Delete removes the value by the record at an offset.
func (t *Table[K, V]) Delete(o kafka.Offset, k K) {
	if _, ok := t.Get(k); ok {
		t.put(o, k, value[V]{})
	}
}

// Replace sets a value that no record makes: it takes the place of the newest one, and is taken back with the record
// that made that one.
func (t *Table[K, V]) Replace(k K, v V) { t.replace(k, value[V]{v: v, is: true}) }

// Remove deletes as Replace sets.
func (t *Table[K, V]) Remove(k K) { t.replace(k, value[V]{}) }

// PendingTo returns the offset that must be committed for the newest value of a key to be: one past its last record,
// or NoOffset when it is committed.
func (t *Table[K, V]) PendingTo(k K) kafka.Offset {
	if c := t.cells[k]; c != nil && len(c.versions) > 0 {
		return c.versions[len(c.versions)-1].offset + 1
	}
	return kafka.NoOffset
}

// All calls f for every newest value, in no order.
func (t *Table[K, V]) All(f func(K, V)) {
	for k, c := range t.cells {
		if n := c.newest(); n.is {
			f(k, n.v)
		}
	}
}

// AllCommitted calls f for every committed value, in no order.
func (t *Table[K, V]) AllCommitted(f func(K, V)) {
	for k, c := range t.cells {
		if c.committed.is {
			f(k, c.committed.v)
		}
	}
}

func (t *Table[K, V]) put(o kafka.Offset, k K, v value[V]) {
	c := t.cell(k)
	t.count(c.newest().is, v.is)
	c.versions = append(c.versions, version[V]{value: v, offset: o})
	t.log.add(o, c)
}

func (t *Table[K, V]) replace(k K, v value[V]) {
	c := t.cell(k)
	t.count(c.newest().is, v.is)
	if n := len(c.versions); n > 0 {
		c.versions[n-1].value = v
	} else {
		c.committed = v
	}
	c.drop()
}

func (t *Table[K, V]) cell(k K) *cell[K, V] {
	c := t.cells[k]
	if c == nil {
		c = &cell[K, V]{table: t, key: k}
		t.cells[k] = c
	}
	return c
}

func (t *Table[K, V]) count(was, is bool) {
	if was {
		t.live--
	}
	if is {
		t.live++
	}
}

func (c *cell[K, V]) newest() value[V] {
	if n := len(c.versions); n > 0 {
		return c.versions[n-1].value
	}
	return c.committed
}

func (c *cell[K, V]) commitOldest() {
	c.committed = c.versions[0].value
	c.versions = c.versions[1:]
	if len(c.versions) == 0 {
		c.versions = nil
	}
	c.drop()
}

func (c *cell[K, V]) revertNewest() {
	was := c.newest().is
	n := len(c.versions) - 1
	c.versions[n] = version[V]{}
	c.versions = c.versions[:n]
	c.table.count(was, c.newest().is)
	c.drop()
}

// drop forgets a key that has no value in any view.
func (c *cell[K, V]) drop() {
	if !c.committed.is && len(c.versions) == 0 {
		delete(c.table.cells, c.key)
	}
}
