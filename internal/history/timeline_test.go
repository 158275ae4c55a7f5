package history

import "testing"

func TestTimeline(t *testing.T) {
	var l Timeline
	l.Add(20, 7, 2)
	l.Add(10, 9, 1)
	l.Add(Never, 100, 4)
	l.Add(30, 12, 3)
	l.Seal()
	for _, c := range []struct {
		at, to int64
		by     int32
		ok     bool
	}{{10, 0, -1, false}, {11, 9, 1, true}, {25, 9, 1, true}, {30, 9, 1, true}, {31, 12, 3, true}, {Never, 12, 3, true}} {
		if to, by, ok := l.Before(c.at); to != c.to || by != c.by || ok != c.ok {
			t.Errorf("before %d: %d by %d, %v; want %+v", c.at, to, by, ok, c)
		}
	}
}
