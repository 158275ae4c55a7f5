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

// What is missing is told until every partition and every guest has enough.
func TestSince(t *testing.T) {
	g := &Guest{Name: "another", Clock: newClock(2)}
	l := &Load{Clock: newClock(2), o: Options{Partitions: 2, Guests: []*Guest{g}}}
	m := l.Mark()
	wants := func(all int64, want string) {
		t.Helper()
		if got := l.Since(m, all, 1); got != want {
			t.Fatalf("of %d there is missing %q, not %q", all, got, want)
		}
	}
	for range 10 {
		l.acked(0, time.Now())
	}
	wants(10, "0 records of partition 1 are acknowledged")
	l.acked(1, time.Now())
	wants(11, "nothing of another is acknowledged")
	g.acked(1, time.Now())
	wants(11, "")
	wants(12, "11 records are acknowledged, not 12")
	if m = l.Mark(); l.Since(m, 0, 0) != "nothing of another is acknowledged" {
		t.Fatal("what was before a mark counts after it")
	}
}
