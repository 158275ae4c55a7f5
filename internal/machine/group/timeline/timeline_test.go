package timeline_test

import (
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group/timeline"
)

// model is a table as anybody would write it: a copy of everything for each offset.
type model struct {
	at    []kafka.Offset // of each change that is not settled
	after []map[string]int
	base  map[string]int // committed
}

func (m *model) newest() map[string]int {
	if n := len(m.after); n > 0 {
		return m.after[n-1]
	}
	return m.base
}

func (m *model) put(o kafka.Offset, f func(map[string]int)) {
	next := maps.Clone(m.newest())
	f(next)
	m.at, m.after = append(m.at, o), append(m.after, next)
}

func (m *model) commit(to kafka.Offset) {
	for len(m.at) > 0 && m.at[0] < to {
		m.base, m.at, m.after = m.after[0], m.at[1:], m.after[1:]
	}
}

func (m *model) revert(to kafka.Offset) {
	for n := len(m.at); n > 0 && m.at[n-1] >= to; n = len(m.at) {
		m.at, m.after = m.at[:n-1], m.after[:n-1]
	}
}

func TestTablesAgainstTheModel(t *testing.T) {
	for seed := range uint64(2000) {
		rng := rand.New(rand.NewPCG(seed, 7))
		var log timeline.Log
		table := timeline.NewTable[string, int](&log)
		m := &model{base: map[string]int{}}
		next, committed := kafka.Offset(0), kafka.Offset(0)
		for step := range 60 {
			k := string(rune('a' + rng.IntN(4)))
			switch n := rng.IntN(10); {
			case n < 5:
				table.Put(next, k, step)
				m.put(next, func(s map[string]int) { s[k] = step })
				next++
			case n < 7:
				table.Delete(next, k)
				m.put(next, func(s map[string]int) { delete(s, k) })
				next++
			case n < 9:
				committed += kafka.Offset(rng.IntN(int(next-committed) + 1))
				log.Commit(committed)
				m.commit(committed)
			default:
				next = committed + kafka.Offset(rng.IntN(int(next-committed)+1))
				log.Revert(next)
				m.revert(next)
			}
			newest, base := map[string]int{}, map[string]int{}
			table.All(func(k string, v int) { newest[k] = v })
			table.AllCommitted(func(k string, v int) { base[k] = v })
			if !maps.Equal(newest, m.newest()) || !maps.Equal(base, m.base) || table.Len() != len(newest) {
				t.Fatalf("seed %d, step %d: newest %v, want %v; committed %v, want %v; %d keys", seed, step, newest, m.newest(), base, m.base, table.Len())
			}
			for _, k := range []string{"a", "b", "c", "d"} {
				v, ok := table.Get(k)
				c, is := table.Committed(k)
				if w, had := newest[k]; v != w || ok != had || c != base[k] || is != (base[k] != 0 || has(base, k)) {
					t.Fatalf("seed %d, step %d: %s is %d, committed %d", seed, step, k, v, c)
				}
			}
		}
		log.Commit(next)
		if log.Pending() != 0 {
			t.Fatalf("seed %d: %d changes are pending after everything was committed", seed, log.Pending())
		}
		if table.Empty() != (len(m.newest()) == 0) {
			t.Fatalf("seed %d: empty %v with %d keys", seed, table.Empty(), len(m.newest()))
		}
	}
}

func has(m map[string]int, k string) bool { _, ok := m[k]; return ok }

// A value that no record makes goes with the record that made its predecessor.
func TestReplace(t *testing.T) {
	var log timeline.Log
	table := timeline.NewTable[string, int](&log)
	get := func() int { v, _ := table.Get("k"); return v }
	committed := func() int { v, _ := table.Committed("k"); return v }
	table.Replace("k", 1)
	if get() != 1 || committed() != 1 || table.PendingTo("k") != kafka.NoOffset {
		t.Errorf("%d, %d, pending to %d", get(), committed(), table.PendingTo("k"))
	}
	table.Put(5, "k", 2)
	table.Replace("k", 3)
	if get() != 3 || committed() != 1 || table.PendingTo("k") != 6 {
		t.Errorf("%d, %d, pending to %d", get(), committed(), table.PendingTo("k"))
	}
	log.Revert(5)
	if get() != 1 || committed() != 1 {
		t.Errorf("after a revert: %d, %d", get(), committed())
	}
	table.Put(5, "k", 4)
	table.Replace("k", 5)
	log.Commit(6)
	if get() != 5 || committed() != 5 {
		t.Errorf("after a commit: %d, %d", get(), committed())
	}
	table.Delete(6, "k")
	table.Replace("k", 6)
	log.Commit(7)
	if get() != 6 || committed() != 6 || table.Len() != 1 {
		t.Errorf("in the place of a deletion: %d, %d", get(), committed())
	}
	table.Remove("k")
	if !table.Empty() || table.Len() != 0 {
		t.Errorf("%d keys after the last was removed", table.Len())
	}
}
