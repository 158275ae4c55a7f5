package world

import (
	"testing"
	"time"
)

func trace(seed uint64) []uint64 {
	v := NewVirtual(seed)
	var out []uint64
	for i := range 50 {
		v.Go(func() {
			out = append(out, uint64(i), uint64(v.Now().Mono))
			v.After(time.Duration(v.Uint64()%1000), func() { out = append(out, v.Uint64()) })
		})
	}
	v.Run(time.Second)
	return out
}

func TestSameSeedSameOrder(t *testing.T) {
	a, b, c := trace(1), trace(1), trace(2)
	if len(a) != 150 {
		t.Fatalf("ran %d steps, want 150", len(a))
	}
	same := true
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("step %d differs under one seed", i)
		}
		same = same && a[i] == c[i]
	}
	if same {
		t.Fatal("another seed gave the same order")
	}
}

func TestStoppedTimerDoesNotRun(t *testing.T) {
	v := NewVirtual(1)
	ran := 0
	a := v.After(time.Second, func() { ran++ })
	v.After(time.Second, func() { ran += 10 })
	if !a.Stop() || a.Stop() {
		t.Fatal("Stop must report true once")
	}
	v.Run(2 * time.Second)
	if ran != 10 || v.Now().Mono != time.Hour+2*time.Second {
		t.Fatalf("ran=%d now=%v", ran, v.Now().Mono)
	}
}

func TestRunUntilStopsAtTheCondition(t *testing.T) {
	v := NewVirtual(1)
	n := 0
	for range 10 {
		v.After(time.Second, func() { n++ })
	}
	if !v.RunUntil(time.Minute, func() bool { return n == 3 }) || n != 3 {
		t.Fatalf("n=%d", n)
	}
	if v.RunUntil(time.Minute, func() bool { return n == 99 }) {
		t.Fatal("a condition never met must be reported")
	}
}
