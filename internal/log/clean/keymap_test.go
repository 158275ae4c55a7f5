package clean

import (
	"fmt"
	"testing"

	"github.com/milena-io/milena/internal/kafka"
)

func TestKeyMapHoldsWhatItsBudgetAllows(t *testing.T) {
	m := NewKeyMap(100*entryBytes, 0.9, 1<<40)
	n := 0
	for m.Put([]byte(fmt.Sprint(n)), kafka.Offset(n)) {
		n++
	}
	if n != 90 || m.Len() != 90 || m.Utilization() != 0.9 {
		t.Fatalf("%d keys in 100 slots, utilization %v", n, m.Utilization())
	}
	for i := range n {
		if got := m.Last([]byte(fmt.Sprint(i))); got != kafka.Offset(i) {
			t.Fatalf("key %d has offset %d", i, got)
		}
	}
	if got := m.Last([]byte("another")); got != kafka.NoOffset {
		t.Errorf("a key that was never put has offset %d", got)
	}
}

func TestKeyMapKeepsTheLastOffset(t *testing.T) {
	m := NewKeyMap(1<<20, 0.9, 2)
	for o := range 10 {
		if !m.Put([]byte("k"), kafka.Offset(o)) {
			t.Fatal("the same key again does not fit")
		}
	}
	if m.Len() != 1 || m.Last([]byte("k")) != 9 || m.Last(nil) != kafka.NoOffset {
		t.Errorf("%d keys, offset %d", m.Len(), m.Last([]byte("k")))
	}
}

func TestKeyMapAsksForNoMoreThanItNeeds(t *testing.T) {
	if got := len(NewKeyMap(128<<20, 0.9, 9).slots); got > 16 {
		t.Errorf("%d slots for 9 keys", got)
	}
	if m := NewKeyMap(0, 0.9, 100); !m.Put([]byte("k"), 1) {
		t.Error("a map without a budget makes no progress")
	}
}

func BenchmarkKeyMap(b *testing.B) {
	keys := make([][]byte, 1<<16)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "customer-%08d", i)
	}
	m := NewKeyMap(128<<20, 0.9, 1<<20)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		m.Put(keys[i&(len(keys)-1)], kafka.Offset(i))
		m.Last(keys[(i*7)&(len(keys)-1)])
	}
}
