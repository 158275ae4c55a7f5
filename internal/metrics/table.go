package metrics

import (
	"slices"
	"sync"
	"sync/atomic"
)

// table finds counters by a label's value. Readers take no lock: the few labels there are appear once and stay.
type table[T any] struct {
	rows atomic.Pointer[map[string]*T]
	mu   sync.Mutex // of those who add
}

// tableRows bounds a table; what comes later counts as otherRow.
const (
	tableRows = 256
	otherRow  = "other"
)

// row returns the counters of a label, which it adds when they are missing.
func (t *table[T]) row(label string) *T {
	if rows := t.rows.Load(); rows != nil {
		if r := (*rows)[label]; r != nil {
			return r
		}
	}
	return t.add(label)
}

func (t *table[T]) add(label string) *T {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := map[string]*T{}
	if rows := t.rows.Load(); rows != nil {
		old = *rows
	}
	if len(old) >= tableRows {
		label = otherRow
	}
	if r := old[label]; r != nil {
		return r
	}
	rows := make(map[string]*T, len(old)+1)
	for k, v := range old {
		rows[k] = v
	}
	r := new(T)
	rows[label] = r
	t.rows.Store(&rows)
	return r
}

// each walks the rows by label.
func (t *table[T]) each(f func(label string, row *T)) {
	rows := t.rows.Load()
	if rows == nil {
		return
	}
	labels := make([]string, 0, len(*rows))
	for l := range *rows {
		labels = append(labels, l)
	}
	slices.Sort(labels)
	for _, l := range labels {
		f(l, (*rows)[l])
	}
}
