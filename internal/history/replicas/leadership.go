package replicas

import (
	"slices"

	"github.com/milena-io/milena/internal/kafka"
)

// leads looks at who takes itself for a leader: one per epoch (R3), never two incarnations of a process in one (R4), and each
// holds when it takes over what was committed or acknowledged in epochs below its own (R2). Of a leader that was elected
// uncleanly nothing is held.
func (w *Watch) leads(s *State) {
	for i := range s.Replicas {
		r := &s.Replicas[i]
		if !r.Up || !r.Leads {
			continue
		}
		was, ok := w.leaders[r.Epoch]
		switch {
		case !ok:
			w.leaders[r.Epoch] = leadership{r.Node, r.Incarnation, s.Index}
			w.takesOver(s, r)
		case was.node != r.Node:
			w.add("R3 log-matching", []int{was.state, s.Index}, "epoch %d has two leaders, nodes %d and %d", r.Epoch, was.node, r.Node)
		case was.incarnation != r.Incarnation:
			w.add("R4 resumed-epoch", []int{was.state, s.Index}, "node %d leads on in epoch %d as %v, which it led as %v", r.Node, r.Epoch, r.Incarnation, was.incarnation)
		}
	}
}

// takesOver is R2.
func (w *Watch) takesOver(s *State, r *Replica) {
	m := w.logs[r.Node]
	if s.Unclean {
		w.forget(m, r)
		return
	}
	if c, missing := w.lacks(s, m, r.End, r.Epoch); missing {
		w.add("R2 leader-completeness", []int{c.state, s.Index}, "node %d leads from epoch %d on without offset %d, which was committed in epoch %d", r.Node, r.Epoch, c.Base, c.in)
		return
	}
	for _, a := range w.acked {
		if a.Epoch < r.Epoch && a.Last >= r.End {
			w.add("R2 leader-completeness", []int{a.state, s.Index}, "node %d leads from epoch %d on and ends at %d; offset %d was acknowledged in epoch %d", r.Node, r.Epoch, r.End, a.Last, a.Epoch)
			return
		}
	}
}

// forget gives up what an uncleanly elected leader doesn't hold: that is the bargain.
func (w *Watch) forget(m *mirror, r *Replica) {
	n := slices.IndexFunc(w.committed, func(c commitment) bool { return c.Last >= r.End || !m.has(c.Batch) })
	if n < 0 {
		return
	}
	w.committed = w.committed[:n]
	end := w.committedTo()
	w.acked = slices.DeleteFunc(w.acked, func(a kept) bool { return a.Last >= end })
	w.visible = min(w.visible, end)
	for _, other := range w.logs {
		other.checked, other.proved = min(other.checked, end), min(other.proved, n)
	}
}

// watermarks holds R5: the high watermark doesn't go back while an epoch lasts, and what clients are told of the log's end
// doesn't go back at all; and R9's half: it stands still while there are fewer in sync than min.insync.replicas.
func (w *Watch) watermarks(s *State) {
	for i := range s.Replicas {
		r := &s.Replicas[i]
		if !r.Up || !r.Leads {
			continue
		}
		if r.High > r.End {
			w.add("R5 high-watermark", []int{s.Index}, "the high watermark of node %d is %d, and its log ends at %d", r.Node, r.High, r.End)
		}
		was, ok := w.highs[r.Epoch]
		if ok && r.High < was {
			w.add("R5 high-watermark", []int{s.Index}, "the high watermark of leader %d went back from %d to %d in epoch %d", r.Node, was, r.High, r.Epoch)
		}
		w.highs[r.Epoch] = max(was, r.High)
		if old := w.was(r.Node); ok && r.High > was && old != nil && old.Leads && old.Epoch == r.Epoch && w.still(s) &&
			old.ISR != nil && r.ISR != nil && len(old.ISR) < w.before.enough() && len(r.ISR) < s.enough() {
			w.add("R9 eligible-leaders", []int{w.before.Index, s.Index}, "the high watermark of leader %d moved from %d to %d with %d replicas in sync, fewer than %d",
				r.Node, was, r.High, len(r.ISR), s.enough())
		}
		if r.Epoch != s.Registered.LeaderEpoch || r.Visible < 0 {
			continue // a leader of the past tells what is old, and its clients' epochs fence it
		}
		if r.Visible < w.visible && !s.Unclean {
			w.add("R5 high-watermark", []int{s.Index}, "leader %d of epoch %d tells clients that the log ends at %d, and they were told %d", r.Node, r.Epoch, r.Visible, w.visible)
		}
		w.visible = max(w.visible, r.Visible)
	}
}

// still reports whether the registration is what it was in the state before.
func (w *Watch) still(s *State) bool {
	return w.before.Registered.PartitionEpoch == s.Registered.PartitionEpoch
}

// was returns a replica in the state before.
func (w *Watch) was(n kafka.NodeID) *Replica {
	if w.before == nil {
		return nil
	}
	return w.before.replica(n)
}

// acks holds R6: what is acknowledged is safe on every member of the maximal ISR, that is on each that could be elected and
// on each whose expansion is pending, and these are enough; and no leader of a later epoch is without it.
func (w *Watch) acks(s *State) {
	for _, a := range s.Acks {
		leader := s.replica(a.Leader)
		if leader != nil && leader.Leads {
			// Who lost the leadership and has it back, and did not follow in between, commits what it wrote before with who is in sync now:
			// who led in between, and may hear of that later, need not have it.
			a.Epoch = max(a.Epoch, leader.Epoch)
		}
		w.acked = append(w.acked, kept{a, s.Index})
		if leader == nil {
			continue
		}
		epoch := a.Epoch
		if a.ISR != nil && len(a.ISR) < s.enough() {
			w.add("R6 ack-rule", []int{s.Index}, "leader %d acknowledged offset %d with %d replicas in sync, fewer than %d", a.Leader, a.Last, len(a.ISR), s.enough())
		}
		isr := slices.Clone(a.ISR)
		if s.Registered.LeaderEpoch == epoch {
			for _, n := range s.Registered.ISR {
				if !slices.Contains(isr, n) {
					isr = append(isr, n)
				}
			}
		}
		for _, n := range isr {
			if r := s.replica(n); r != nil && r.Replaced {
				continue // it had it
			} else if r == nil || s.counts(r) <= a.Last {
				to := kafka.NoOffset
				if r != nil {
					to = s.counts(r)
				}
				w.add("R6 ack-rule", []int{s.Index}, "leader %d acknowledged offset %d, and node %d of the in-sync replicas is safe to %d only", a.Leader, a.Last, n, to)
			} else if own, other := w.logs[a.Leader], w.logs[n]; !s.Compacted && !other.same(own, a.Base, a.Last) {
				w.add("R6 ack-rule", []int{s.Index}, "leader %d acknowledged offsets %d to %d, and node %d of the in-sync replicas holds others there", a.Leader, a.Base, a.Last, n)
			}
		}
		for i := range s.Replicas {
			if r := &s.Replicas[i]; r.Up && r.Leads && r.Epoch > epoch && r.End <= a.Last && !s.Unclean {
				w.add("R6 ack-rule", []int{s.Index}, "node %d acknowledged offset %d in epoch %d, and node %d leads in epoch %d and ends at %d", a.Leader, a.Last, a.Epoch, r.Node, r.Epoch, r.End)
			}
		}
	}
}

// same reports whether two logs hold the same batches in a range.
func (m *mirror) same(o *mirror, from, to kafka.Offset) bool {
	for _, b := range o.batches[o.before(from):] {
		if b.Base > to {
			break
		}
		if !m.has(b) {
			return false
		}
	}
	return true
}
