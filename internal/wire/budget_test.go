package wire

import (
	"encoding/binary"
	"sync"
	"testing"
)

func TestBudgetWakesThoseWhoWait(t *testing.T) {
	b := NewBudget(100)
	woken := 0
	b.WhenFree(func() { woken++ })
	if woken != 1 {
		t.Fatal("not called although nothing is used")
	}
	b.Take(150)
	if b.WhenFree(func() { woken++ }); woken != 2 {
		t.Fatal("not called although nobody overdraws")
	}
	if !b.overdraw() || b.overdraw() {
		t.Fatal("the right to overdraw is for one")
	}
	b.WhenFree(func() { woken++ })
	b.WhenFree(func() { woken++ })
	if b.Take(-50); woken != 2 || !b.Short() {
		t.Fatal("woken while memory is short")
	}
	if b.Take(-1); woken != 4 || b.Short() {
		t.Fatalf("%d woken", woken)
	}
	b.Take(1)
	b.WhenFree(func() { woken++ })
	if b.endOverdraft(); woken != 5 {
		t.Fatal("not called when the right to overdraw is free")
	}
	if b.TryTake(70<<10) || b.Used() != 100 {
		t.Fatal("took more than there is")
	}
	if !b.TryTake(1000) {
		t.Fatal("refused a trifle")
	}
}

// TestShareLeavesRoom: however many connections take their whole share one after another, there is some for the next.
func TestShareLeavesRoom(t *testing.T) {
	b := NewBudget(256 << 20)
	for range 40 {
		b.Take(b.Share())
	}
	if b.Short() || b.Share() < 256 {
		t.Fatalf("%d used, the next share is %d", b.Used(), b.Share())
	}
	if b.Take(1 << 30); b.Share() != 1 {
		t.Fatalf("a share of %d when nothing is left", b.Share())
	}
}

// TestBudgetLosesNoWaiter: whoever waits while others take and give back is called in the end.
func TestBudgetLosesNoWaiter(t *testing.T) {
	b := NewBudget(10)
	b.overdraw()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 2000 {
				b.Take(10)
				called := make(chan struct{})
				b.WhenFree(func() { close(called) })
				b.Take(-10)
				<-called
			}
		})
	}
	all.Wait()
	if b.Used() != 0 {
		t.Fatalf("%d used", b.Used())
	}
}

// TestOneFrameGrowsWhileMemoryIsShort: of large frames one, small ones all, and it gives its right back with its buffer.
func TestOneFrameGrowsWhileMemoryIsShort(t *testing.T) {
	budget := NewBudget(1 << 20)
	pool := NewPool(budget, true)
	arriving := func(claim int) *Framer {
		f := NewFramer(pool, 8<<20)
		binary.BigEndian.PutUint32(f.Space(), uint32(claim))
		if _, err := f.Filled(lengthBytes); err != nil {
			t.Fatal(err)
		}
		return f
	}
	a, b := arriving(100<<10), arriving(100<<10)
	if a.Starved() || b.Starved() {
		t.Fatal("a frame waits although memory is free")
	}
	budget.Take(1 << 20)
	if a.Starved() || !b.Starved() || a.Starved() {
		t.Fatal("one of two large frames has to go on, the other one to wait")
	}
	if arriving(32 << 10).Starved() {
		t.Fatal("a small frame waits")
	}
	woken := false
	budget.WhenFree(func() { woken = true })
	whole := finish(t, a)
	if woken || !b.Starved() {
		t.Fatal("the overdraft ends when the frame is freed, not when it is whole")
	}
	if whole.Free(); !woken || b.Starved() {
		t.Fatal("the next one has to go on")
	}
	if b.Drop(); arriving(100 << 10).Starved() {
		t.Fatal("a frame that was dropped keeps the right to overdraw")
	}
	// A frame that has room in its buffer goes on: it would give nothing back by waiting.
	budget.Take(-2 << 20)
	c := arriving(100 << 10)
	if _, err := c.Filled(len(c.Space()) - 1); err != nil {
		t.Fatal(err)
	}
	budget.Take(4 << 20)
	if c.Starved() {
		t.Fatal("a frame with room in its buffer waits")
	}
	if _, err := c.Filled(1); err != nil || !c.Starved() {
		t.Fatal("a frame that needs another buffer goes on")
	}
}

func finish(t *testing.T, f *Framer) *Buffer {
	t.Helper()
	for {
		if frame, err := f.Filled(len(f.Space())); err != nil {
			t.Fatal(err)
		} else if frame != nil {
			return frame
		}
	}
}
