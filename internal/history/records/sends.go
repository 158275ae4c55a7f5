package records

import "github.com/milena-io/milena/internal/history"

// sendOrder finds producers whose records stand in the log in another order than they were sent: within one operation
// (int-nonmonotonic-send) and between two (nonmonotonic-send). Others' records between those of one operation
// (int-send-skip) are normal, and counted.
func (x *index) sendOrder() {
	type lane struct{ process, key int32 }
	last := map[lane]int32{} // the furthest value of a process in a key
	numbers := map[int]int32{}
	s := newScratch(len(x.keys))
	for i := range x.ops {
		o := &x.ops[i]
		if len(x.sends(int32(i))) == 0 || o.Kind == history.Fail {
			continue
		}
		process, ok := numbers[o.Process]
		if !ok {
			process = int32(len(numbers))
			numbers[o.Process] = process
		}
		s.begin()
		for _, one := range x.sends(int32(i)) {
			if x.values[one.value].first == none {
				continue
			}
			if before, ok := s.get(one.key); ok {
				x.sentAfter("int-nonmonotonic-send", "int-send-skip", before, one.value)
			} else if before, ok := last[lane{process, one.key}]; ok {
				x.sentAfter("nonmonotonic-send", "", before, one.value)
			}
			s.set(one.key, one.value)
		}
		for _, key := range s.touched {
			last[lane{process, key}] = s.at[key]
		}
	}
}

func (x *index) sentAfter(back, skip string, before, after int32) {
	a, b := &x.values[before], &x.values[after]
	k := &x.keys[a.key]
	switch delta := b.first - a.first; {
	case delta < 1:
		x.tally.Add(back, history.Idempotent, x.story(a.writer, b.writer), "%s was sent before %s to %v, and stands at offset %d behind it at %d",
			x.name(before), x.name(after), k.key, k.offs[a.first], k.offs[b.first])
	case delta > 1 && skip != "":
		x.tally.Add(skip, history.Report, x.story(a.writer), "between %s and %s in %v stand %d values of others", x.name(before), x.name(after), k.key, delta-1)
	}
}
