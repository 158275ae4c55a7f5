package records

import (
	"testing"
	"time"

	"github.com/milena-io/milena/internal/history"
)

func TestSpread(t *testing.T) {
	s := new(spread)
	for v := int64(1); v <= 100_000; v++ {
		s.add(v)
	}
	for part, want := range map[float64]int64{0: 1, 0.5: 50_000, 0.99: 99_000, 0.0001: 10} {
		if got := int64(s.at(part)); got > want+1 || got < want-want/fine-1 {
			t.Errorf("the quantile of %v is %d, want %d", part, got, want)
		}
	}
	s.add(history.Never)
	if s.at(1) != time.Duration(s.greatest) || s.greatest != history.Never {
		t.Errorf("the greatest is %d", s.greatest)
	}
}

func TestLagIsMeasured(t *testing.T) {
	var s story
	s.op(2, history.DoAssign, history.Ok).Keys = []history.Key{a}
	plain(&s, a, 2) // done at 4 and 6
	s.op(2, history.DoPoll, history.Ok, poll(a, 0, 1, 1, 2)).Invoke = 104
	s.op(2, history.DoPoll, history.Ok)
	if lag := Check(s.ops, Options{}).Lag; lag.Samples != 2 || lag.Max != 100 || lag.P50 > 100 || lag.P50 < 94 {
		t.Errorf("%+v", lag)
	}
}
