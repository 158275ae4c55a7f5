package metrics

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

func TestTableLosesNothing(t *testing.T) {
	var table table[atomic.Uint64]
	var wait sync.WaitGroup
	const writers, labels, each = 8, 50, 20
	for w := range writers {
		wait.Go(func() {
			for i := range labels * each {
				table.row(strconv.Itoa((i + w) % labels)).Add(1)
				if i%100 == 0 {
					table.each(func(string, *atomic.Uint64) {})
				}
			}
		})
	}
	wait.Wait()
	rows := 0
	table.each(func(label string, n *atomic.Uint64) {
		rows++
		if n.Load() != writers*each {
			t.Errorf("%s was counted %d times, want %d", label, n.Load(), writers*each)
		}
	})
	if rows != labels {
		t.Errorf("%d rows, want %d", rows, labels)
	}
}

func TestTableIsBounded(t *testing.T) {
	var table table[atomic.Uint64]
	for i := range 3 * tableRows {
		table.row(strconv.Itoa(i)).Add(1)
	}
	rows, sum, other := 0, uint64(0), uint64(0)
	table.each(func(label string, n *atomic.Uint64) {
		rows++
		sum += n.Load()
		if label == otherRow {
			other = n.Load()
		}
	})
	if rows != tableRows+1 || sum != 3*tableRows || other != 2*tableRows {
		t.Errorf("%d rows, %d counted, %d of them as other", rows, sum, other)
	}
}
