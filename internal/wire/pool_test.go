package wire

import "testing"

// TestFreedBuffersArePoisoned, so that a slice kept too long is seen.
func TestFreedBuffersArePoisoned(t *testing.T) {
	p := NewPool(nil, true)
	b := p.Get(100)
	b.B = append(b.B, "precious"...)
	kept := b.B
	b.Free()
	if string(kept) == "precious" {
		t.Fatal("the bytes survived Free")
	}
}

func TestDoubleFreePanics(t *testing.T) {
	b := NewPool(nil, false).Get(1)
	b.Free()
	defer func() {
		if recover() == nil {
			t.Fatal("a second Free went unnoticed")
		}
	}()
	b.Free()
}

// TestGrownBuffersAreCharged: an answer that outgrows its buffer is charged with what it became.
func TestGrownBuffersAreCharged(t *testing.T) {
	budget := NewBudget(1 << 30)
	p := NewPool(budget, true)
	for _, n := range []int{1, 4096, 4097, 100_000, 1 << 20, 1<<20 + 1, 3 << 20} {
		b := p.Get(10)
		b.B = append(b.B, make([]byte, n)...)
		b.Recharge()
		if used := budget.Used(); used != int64(cap(b.B)) {
			t.Fatalf("%d bytes: %d charged, capacity %d", n, used, cap(b.B))
		}
		b.Free()
		c := p.Get(n)
		if cap(c.B) < n || len(c.B) != 0 || budget.Used() != int64(cap(c.B)) {
			t.Fatalf("asked for %d, got %d of %d, %d charged", n, len(c.B), cap(c.B), budget.Used())
		}
		c.Free()
	}
	if budget.Used() != 0 {
		t.Fatalf("%d bytes stay charged", budget.Used())
	}
}
