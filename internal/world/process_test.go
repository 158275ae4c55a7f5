package world

import (
	"testing"
	"time"
)

func TestKilledProcessRunsNothing(t *testing.T) {
	v := NewVirtual(1)
	p, q := NewProcess(v), NewProcess(v)
	ran := ""
	p.Go(func() { ran += "p" })
	p.After(time.Second, func() { ran += "P" })
	q.After(2*time.Second, func() { ran += "q" })
	v.Run(time.Millisecond)
	p.Kill()
	v.Run(time.Minute)
	if ran != "pq" || p.Alive() || !q.Alive() {
		t.Fatalf("ran %q", ran)
	}
}
