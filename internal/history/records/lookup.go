package records

import (
	"slices"

	"github.com/milena-io/milena/internal/history"
)

// lookup is K4 for one answer: no record that was known to be there, is not deleted and is late enough stands before the one
// that was named, and that one is late enough itself.
func (x *index) lookup(t *times, op int32, l *history.Lookup, k *keyLog) {
	known, by := t.known, t.by
	if x.ops[op].Committed {
		known, by = t.read, t.reader
	}
	first, _ := slices.BinarySearch(t.greatest, l.Time) // nothing before it is late enough
	for i := first; i < len(t.ms) && (l.Off < 0 || k.offs[i] < l.Off); i++ {
		if t.ms[i] >= l.Time && known[i] < x.ops[op].Invoke && k.offs[i] >= k.start {
			x.tally.Add("K4 offset-for-timestamp", history.Always, x.story(by[i], op), "time %d of %v was answered with offset %d, and the record at %d is of %d",
				l.Time, l.Key, l.Off, k.offs[i], t.ms[i])
			return
		}
	}
	if l.Off < 0 {
		return
	}
	at, ok := slices.BinarySearch(k.offs, l.Off)
	if l.At < l.Time || ok && t.ms[at] < l.Time {
		ms := l.At
		if ok {
			ms = t.ms[at]
		}
		x.tally.Add("K4 offset-for-timestamp", history.Always, x.story(op), "time %d of %v was answered with offset %d, whose record is of %d", l.Time, l.Key, l.Off, ms)
	}
}
