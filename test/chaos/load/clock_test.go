package load

import (
	"testing"
	"time"
)

// The longest silence of any partition since the clock was opened is what counts, also when it began before.
func TestWorst(t *testing.T) {
	c := newClock(2)
	c.Open()
	at := c.opened
	c.last = []time.Time{at.Add(-time.Hour), at.Add(-time.Millisecond)}
	c.acked(0, at.Add(30*time.Millisecond))
	c.acked(1, at.Add(10*time.Millisecond))
	c.acked(0, at.Add(40*time.Millisecond))
	c.acked(1, at.Add(55*time.Millisecond))
	if p, gap := c.Worst(); p != 1 || gap != 45*time.Millisecond {
		t.Fatalf("partition %d, %v", p, gap)
	}
	c.Open()
	if _, gap := c.Worst(); gap != 0 {
		t.Fatalf("opened anew it tells %v", gap)
	}
}

func TestSince(t *testing.T) {
	c := newClock(2)
	m := c.Mark()
	for range 10 {
		c.acked(0, time.Now())
	}
	if enough, silent := c.Since(m, 10, 1); enough || silent != 1 {
		t.Fatalf("%v, partition %d is silent", enough, silent)
	}
	c.acked(1, time.Now())
	if enough, silent := c.Since(m, 11, 1); !enough || silent != -1 {
		t.Fatalf("%v, partition %d is silent", enough, silent)
	}
	if enough, _ := c.Since(m, 12, 1); enough {
		t.Fatal("12 of 11")
	}
}
