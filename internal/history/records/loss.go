package records

import "github.com/milena-io/milena/internal/history"

// loss finds lost-write: a committed value that no reader saw although readers saw what stands behind it; and, at the end of
// a history with final polls, unseen: an acknowledged value that nobody ever polled.
func (x *index) loss() {
	bound := make([]int32, len(x.keys)) // the furthest index that a reader reached
	reader := make([]int32, len(x.keys))
	for k := range bound {
		bound[k], reader[k] = none, none
	}
	for i := range x.values {
		v := &x.values[i]
		if v.readOk != none && v.first > bound[v.key] {
			bound[v.key], reader[v.key] = v.first, v.readOk
		}
	}
	for i := range x.values {
		v := &x.values[i]
		k := &x.keys[v.key]
		if v.writer == none || v.last != none && k.offs[v.last] < k.start {
			continue
		}
		if v.last != none && v.last <= bound[v.key] && v.readOk == none && x.done[v.writer] {
			x.tally.Add("lost-write", history.Always, x.story(v.writer, reader[v.key]), "%s was written to %v at offset %d by %s; readers came as far as offset %d, and none saw it",
				x.name(int32(i)), k.key, k.offs[v.last], x.did(v.writer), k.offs[bound[v.key]])
			continue // it is unseen for the same reason
		}
		if x.options.Final && x.ops[v.writer].Kind == history.Ok && v.readAny == none {
			x.tally.Add("unseen", history.Always, x.story(v.writer), "%s was acknowledged to %s for %v, and after the faults the final polls never saw it",
				x.name(int32(i)), x.did(v.writer), k.key)
		}
	}
}
