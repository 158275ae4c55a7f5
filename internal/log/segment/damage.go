package segment

import (
	"fmt"
	"slices"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// Damage is a stretch of a segment that does not check: bytes that are never served, and the offsets that stood there.
// A stretch without bytes is offsets whose bytes are gone.
type Damage struct {
	Path        string
	Pos, End    int64
	First, Next kafka.Offset
	Why         error
}

// refusal is what a reader of its offsets is told.
func (d *Damage) refusal() error {
	return &fault.Error{
		Op: "segment.Read", Kind: fault.Corrupt, Code: kafka.ErrCorruptMessage, Cause: d.Why,
		Message: fmt.Sprintf("offsets %d to %d are damaged, %s from byte %d", d.First, d.Next-1, d.Path, d.Pos),
	}
}

// damages are the known ones of a segment, ascending and apart.
type damages struct {
	mu    sync.Mutex
	list  []Damage
	any   atomic.Bool
	ended atomic.Bool  // all headers were looked through for gaps, and the end held against the indexes
	gen   int          // truncations so far: what was found in bytes of before says nothing
	tell  func(Damage) // hears of each once; may be nil
}

// after returns the first damage that ends past a position.
func (d *damages) after(pos int64) (Damage, bool) {
	if !d.any.Load() {
		return Damage{}, false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	i := sort.Search(len(d.list), func(i int) bool { return d.list[i].End > pos || d.list[i].Pos >= pos })
	if i == len(d.list) {
		return Damage{}, false
	}
	return d.list[i], true
}

// at returns the damage whose bytes hold a position.
func (d *damages) at(pos int64) (Damage, bool) {
	found, ok := d.after(pos)
	return found, ok && found.Pos <= pos && pos < found.End
}

// holding returns the damage that an offset fell into.
func (d *damages) holding(o kafka.Offset) (Damage, bool) {
	if !d.any.Load() {
		return Damage{}, false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	i := sort.Search(len(d.list), func(i int) bool { return d.list[i].Next > o })
	if i == len(d.list) || d.list[i].First > o {
		return Damage{}, false
	}
	return d.list[i], true
}

// due returns the offset that is due at a position: the one given, or what follows the damage that ends there.
func (d *damages) due(pos int64, o kafka.Offset) kafka.Offset {
	if !d.any.Load() {
		return o
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.list {
		if d.list[i].End == pos {
			return max(o, d.list[i].Next)
		}
	}
	return o
}

func (d *damages) generation() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.gen
}

// add takes a damage in, with what it touches, and reports whether any of it is new. One that was found before a
// truncation is not.
func (d *damages) add(n Damage, gen int) bool {
	if n.End <= n.Pos && n.Next <= n.First {
		return false
	}
	d.mu.Lock()
	if gen != d.gen {
		d.mu.Unlock()
		return false
	}
	lo := sort.Search(len(d.list), func(i int) bool { return d.list[i].End >= n.Pos })
	hi := sort.Search(len(d.list), func(i int) bool { return d.list[i].Pos > n.End })
	for _, old := range d.list[lo:hi] {
		if old.Pos <= n.Pos && n.End <= old.End && old.First <= n.First && n.Next <= old.Next {
			d.mu.Unlock()
			return false
		}
		n.Pos, n.End, n.First, n.Next = min(n.Pos, old.Pos), max(n.End, old.End), min(n.First, old.First), max(n.Next, old.Next)
	}
	d.list = slices.Replace(d.list, lo, hi, n)
	d.any.Store(true)
	tell := d.tell
	d.mu.Unlock()
	if tell != nil {
		tell(n)
	}
	return true
}

// cut forgets what lies at or after a position or offset: it was truncated away.
func (d *damages) cut(pos int64, o kafka.Offset) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gen++
	keep := sort.Search(len(d.list), func(i int) bool {
		at := &d.list[i]
		return at.First >= o || at.Pos > pos || at.Pos == pos && at.End > pos // where bytes are gone their offsets may go on being missed
	})
	d.list = d.list[:keep]
	if keep > 0 {
		d.list[keep-1].End = min(d.list[keep-1].End, pos)
		d.list[keep-1].Next = min(d.list[keep-1].Next, o)
	}
	d.any.Store(keep > 0)
}

// all returns a copy.
func (d *damages) all() []Damage {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.list)
}

// Damages returns what is known to be damaged, ascending.
func (s *Segment) Damages() []Damage { return s.damages.all() }

// ForgetBehind forgets what is known to be damaged behind the end of a segment that recovery has cut.
func (s *Segment) ForgetBehind() {
	s.damages.cut(s.size, s.next)
	s.reads.trail.cut(s.damages.generation())
}

// Tell sets who hears of each damage once, with no more than segment locks held: it only takes note.
func (s *Segment) Tell(f func(Damage)) { s.damages.tell = f }
