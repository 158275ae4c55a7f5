package world

import (
	"slices"
	"testing"
	"time"
)

func TestAPoolRunsInOrderAndNoMoreThanItsWidth(t *testing.T) {
	for _, width := range []int{0, 1, 3} {
		v := NewVirtual(1)
		p := NewPool(inline{v}, width)
		var began []int
		for i := range 20 {
			p.Go(func() { began = append(began, i) })
		}
		v.Run(time.Second)
		if len(began) != 20 || !slices.IsSorted(began) {
			t.Fatalf("width %d: began %v", width, began)
		}
	}
}

// inline runs each Go at the same moment, one after the other.
type inline struct{ *Virtual }

func (w inline) Go(f func()) { w.After(0, f) }

func TestAPoolHoldsItsWidth(t *testing.T) {
	w := NewReal()
	p := NewPool(w, 2)
	gate, began, done := make(chan struct{}), make(chan struct{}, 10), make(chan struct{}, 10)
	for range 10 {
		p.Go(func() { began <- struct{}{}; <-gate; done <- struct{}{} })
	}
	<-began
	<-began
	p.mu.Lock()
	active, waiting := p.active, len(p.waiting)
	p.mu.Unlock()
	if active != 2 || waiting != 8 {
		t.Fatalf("%d at work and %d waiting, with a width of 2", active, waiting)
	}
	close(gate)
	for range 10 {
		<-done
	}
}

func TestAPoolThatIsMadeWider(t *testing.T) {
	v := NewVirtual(1)
	p := NewPool(v, 1)
	left := 3
	p.Go(func() {
		p.Resize(3)
		v.After(0, func() { left-- })
	})
	for range 2 {
		p.Go(func() { left-- })
	}
	p.Resize(0)
	v.Run(time.Second)
	if left != 0 || p.active != 0 {
		t.Fatalf("%d left, %d at work", left, p.active)
	}
}
