package replicas

import (
	"cmp"
	"slices"

	"github.com/milena-io/milena/internal/kafka"
)

// learn brings the mirrors up to date, and holds R3: an offset in an epoch has one content, on every replica and for all
// time, also above the high watermark; epochs along a log don't go back; one batch begins where the last ended.
func (w *Watch) learn(s *State) {
	for i := range s.Replicas {
		r := &s.Replicas[i]
		m := w.logs[r.Node]
		if m == nil {
			m = &mirror{}
			w.logs[r.Node] = m
		}
		keep := m.before(r.Changed)
		m.batches = append(m.batches[:keep], r.Batches...) // the mirror's own memory
		m.checked, m.proved = min(m.checked, r.Changed), min(m.proved, w.reaching(r.Changed))
		m.start = r.Start
		if s.Compacted {
			continue
		}
		for n := max(keep, 1); n < len(m.batches); n++ {
			a, b := m.batches[n-1], m.batches[n]
			if (b.Epoch < a.Epoch || b.Base != a.Last+1) && a.Last >= r.Start {
				w.add("R3 log-matching", []int{s.Index}, "the log of node %d holds offset %d in epoch %d, and then offset %d in epoch %d", r.Node, a.Last, a.Epoch, b.Base, b.Epoch)
			}
		}
		for _, b := range r.Batches {
			at := content{b.Base, b.Epoch}
			if known, ok := w.contents[at]; !ok {
				w.contents[at] = b
			} else if known != b {
				w.add("R3 log-matching", []int{s.Index}, "offset %d in epoch %d of node %d ends at %d with sum %08x, and it was %d and %08x before",
					b.Base, b.Epoch, r.Node, b.Last, b.CRC, known.Last, known.CRC)
			}
		}
	}
}

// epochs holds R3 for what a log knows of its epochs: each began within it, and each batch lies in its own.
func (w *Watch) epochs(s *State) {
	for i := range s.Replicas {
		r := &s.Replicas[i]
		epochs := s.Inside[r.Node].Epochs
		if s.Compacted || epochs == nil {
			continue
		}
		for _, e := range epochs {
			if e.Start > r.End {
				w.add("R3 log-matching", []int{s.Index}, "the log of node %d ends at %d, and knows of epoch %d that it began at %d", r.Node, r.End, e.Epoch, e.Start)
			}
		}
		for _, b := range r.Batches {
			n, _ := slices.BinarySearchFunc(epochs, b.Base+1, func(e EpochStart, o kafka.Offset) int { return cmp.Compare(e.Start, o) })
			if b.Base >= r.Start && (n == 0 || epochs[n-1].Epoch != b.Epoch) {
				w.add("R3 log-matching", []int{s.Index}, "the log of node %d has offset %d in epoch %d, and knows its epochs as %v", r.Node, b.Base, b.Epoch, epochs)
				break
			}
		}
	}
}

// before returns how many batches begin below an offset.
func (m *mirror) before(o kafka.Offset) int {
	n, _ := slices.BinarySearchFunc(m.batches, o, func(b Batch, o kafka.Offset) int { return cmp.Compare(b.Base, o) })
	return n
}

// at returns the batch that begins at an offset.
func (m *mirror) at(o kafka.Offset) (Batch, bool) {
	if n := m.before(o); n < len(m.batches) && m.batches[n].Base == o {
		return m.batches[n], true
	}
	return Batch{}, false
}

// has reports whether a log holds a batch, or deleted it with everything before.
func (m *mirror) has(b Batch) bool {
	own, ok := m.at(b.Base)
	return ok && own == b || b.Last < m.start
}

// commit adds to what is committed what a leader's high watermark has passed, and holds the life of an offset (K7): it never
// has two committed contents.
func (w *Watch) commit(s *State) {
	for i := range s.Replicas {
		r := &s.Replicas[i]
		if !r.Up || !r.Leads {
			continue
		}
		m := w.logs[r.Node]
		from := kafka.Offset(0)
		if n := len(w.committed); n > 0 {
			from = w.committed[n-1].Last + 1
		}
		for _, b := range m.batches[m.before(from):] {
			if b.Last >= r.High {
				break
			}
			w.committed = append(w.committed, commitment{b, r.Epoch, s.Index})
		}
	}
}

// committedTo returns the end of what is committed.
func (w *Watch) committedTo() kafka.Offset {
	if n := len(w.committed); n > 0 {
		return w.committed[n-1].Last + 1
	}
	return 0
}

// prefixes holds R1: below its own high watermark every replica has what is committed, byte for byte.
func (w *Watch) prefixes(s *State) {
	if s.Compacted {
		return
	}
	for i := range s.Replicas {
		r := &s.Replicas[i]
		m := w.logs[r.Node]
		if !r.Up {
			continue
		}
		n, _ := slices.BinarySearchFunc(w.committed, max(m.checked, m.start), func(c commitment, o kafka.Offset) int { return cmp.Compare(c.Base, o) })
		for ; n < len(w.committed) && w.committed[n].Last < r.High; n++ {
			c := w.committed[n]
			if !m.has(c.Batch) {
				own, _ := m.at(c.Base)
				w.add("R1 committed-prefix", []int{c.state, s.Index}, "offset %d was committed in epoch %d with sum %08x; node %d has its high watermark at %d, and there epoch %d and sum %08x",
					c.Base, c.Epoch, c.CRC, r.Node, r.High, own.Epoch, own.CRC)
				break
			}
			m.checked = c.Last + 1
		}
	}
}

// reaching returns the index of the first committed batch that reaches an offset.
func (w *Watch) reaching(o kafka.Offset) int {
	n, _ := slices.BinarySearchFunc(w.committed, o, func(c commitment, o kafka.Offset) int { return cmp.Compare(c.Last, o) })
	return n
}

// lacks returns the first batch committed in an epoch below limit that a log doesn't hold below an end. What was proved to be
// held is not looked at again until the log changes there.
func (w *Watch) lacks(s *State, m *mirror, end kafka.Offset, limit kafka.LeaderEpoch) (commitment, bool) {
	beyond := w.reaching(end)
	for n := m.proved; n < beyond && !s.Compacted; n++ {
		switch c := w.committed[n]; {
		case m.has(c.Batch):
			if n == m.proved {
				m.proved++
			}
		case c.in < limit:
			return c, true
		}
	}
	for _, c := range w.committed[beyond:] {
		if c.in < limit && c.Last >= m.start {
			return c, true
		}
	}
	return commitment{}, false
}
