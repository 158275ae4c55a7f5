package group

import (
	"container/heap"
	"strings"
	"time"
)

// deadlines is a queue of groups by the moment at which each must be looked at.
type deadlines struct {
	queue deadlineQueue
	byID  map[string]*deadline
}

type deadline struct {
	group string
	at    time.Duration
	index int
}

func newDeadlines() deadlines { return deadlines{byID: map[string]*deadline{}} }

// set puts a group at a moment; zero takes it out.
func (d *deadlines) set(group string, at time.Duration) {
	e := d.byID[group]
	switch {
	case at == 0 && e == nil:
	case at == 0:
		heap.Remove(&d.queue, e.index)
		delete(d.byID, group)
	case e == nil:
		e = &deadline{group: group, at: at}
		d.byID[group] = e
		heap.Push(&d.queue, e)
	default:
		e.at = at
		heap.Fix(&d.queue, e.index)
	}
}

// due returns the groups whose moment has come, earliest first, without taking them out.
func (d *deadlines) due(now time.Duration) []string {
	var groups []string
	var popped []*deadline
	for len(d.queue) > 0 && d.queue[0].at <= now {
		e := heap.Pop(&d.queue).(*deadline)
		popped = append(popped, e)
		groups = append(groups, e.group)
	}
	for _, e := range popped {
		heap.Push(&d.queue, e)
	}
	return groups
}

func (d *deadlines) first() time.Duration {
	if len(d.queue) == 0 {
		return 0
	}
	return d.queue[0].at
}

type deadlineQueue []*deadline

func (q deadlineQueue) Len() int { return len(q) }
func (q deadlineQueue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && strings.Compare(q[i].group, q[j].group) < 0
}
func (q deadlineQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}
func (q *deadlineQueue) Push(x any) {
	e := x.(*deadline)
	e.index = len(*q)
	*q = append(*q, e)
}
func (q *deadlineQueue) Pop() any {
	old := *q
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return e
}
