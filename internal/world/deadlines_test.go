package world

import (
	"slices"
	"testing"
	"time"
)

func TestDeadlinesRunInOrderAndOnce(t *testing.T) {
	v := NewVirtual(1)
	q := NewDeadlines(v)
	var ran []int
	var all []*Deadline
	for _, s := range []int{5, 1, 3, 2, 4} {
		all = append(all, q.Add(time.Duration(s)*time.Second, func() { ran = append(ran, s) }))
	}
	if !q.Cancel(all[2]) || q.Cancel(all[2]) {
		t.Fatal("Cancel must report true once")
	}
	v.Run(4500 * time.Millisecond)
	if !slices.Equal(ran, []int{1, 2, 4}) {
		t.Fatalf("ran %v", ran)
	}
	if q.Cancel(all[1]) || q.Len() != 1 {
		t.Fatal("a deadline that ran must not be cancellable")
	}
	v.Run(time.Second)
	if !slices.Equal(ran, []int{1, 2, 4, 5}) || q.Len() != 0 {
		t.Fatalf("ran %v, %d left", ran, q.Len())
	}
}

func TestDeadlinesAddedLaterMayComeFirst(t *testing.T) {
	v := NewVirtual(1)
	q := NewDeadlines(v)
	first := time.Duration(0)
	q.Add(time.Minute, func() {})
	v.Run(time.Second)
	q.Add(time.Second, func() { first = v.Now().Mono })
	v.Run(5 * time.Second)
	if first != time.Hour+2*time.Second {
		t.Fatalf("ran at %v", first)
	}
}

func BenchmarkDeadlineAddCancel(b *testing.B) {
	q := NewDeadlines(NewReal())
	f := func() {}
	b.ReportAllocs()
	for b.Loop() {
		q.Cancel(q.Add(30*time.Second, f))
	}
}
