package replicas

import (
	"slices"

	"github.com/milena-io/milena/internal/kafka"
)

// members holds R7: the leader is in sync, those in sync are replicas, nobody is both in sync and merely eligible, and each
// of either holds what is committed. Under page-cache durability a process that the controller has not seen again yet may
// have lost what it had, which is what its next registration says.
func (w *Watch) members(s *State) {
	g := &s.Registered
	if g.Leader != kafka.NoNode && !slices.Contains(g.ISR, g.Leader) {
		w.add("R7 in-sync", []int{s.Index}, "leader %d is not among the in-sync replicas %v", g.Leader, g.ISR)
	}
	for _, n := range slices.Concat(g.ISR, g.ELR) {
		if !slices.Contains(g.Replicas, n) {
			w.add("R7 in-sync", []int{s.Index}, "node %d is in sync or eligible, and the replicas are %v", n, g.Replicas)
		}
	}
	for _, n := range g.ELR {
		if slices.Contains(g.ISR, n) {
			w.add("R7 in-sync", []int{s.Index}, "node %d is in sync and eligible at once", n)
		}
	}
	if len(g.ELR) > 0 && len(g.ISR) >= s.enough() {
		w.add("R9 eligible-leaders", []int{s.Index}, "%v are eligible while %v are in sync, which is enough", g.ELR, g.ISR)
	}
	for _, n := range slices.Concat(g.ISR, g.ELR) {
		r, m := s.replica(n), w.logs[n]
		if r == nil || s.Unclean || r.Replaced {
			continue
		}
		if b := s.broker(n); s.Cached && (!r.Up || b == nil || b.Incarnation != r.Incarnation) {
			continue
		}
		if c, missing := w.lacks(s, m, s.counts(r), g.LeaderEpoch+1); missing {
			w.add("R7 in-sync", []int{c.state, s.Index}, "node %d is in sync or eligible without offset %d, which was committed in epoch %d", n, c.Base, c.in)
		}
	}
}

// registration holds what may follow on a registration: R12, every change has its partition epoch, and what is stale changes
// nothing; R9, a leader is chosen among those in sync, then the eligible ones that are not fenced, then by policy.
func (w *Watch) registration(s *State) {
	if w.before == nil {
		return
	}
	a, b := &w.before.Registered, &s.Registered
	states := []int{w.before.Index, s.Index}
	steps := kafka.PartitionEpoch(0)
	for _, c := range s.Alterations {
		if !c.Accepted {
			continue
		}
		steps++
		if c.PartitionEpoch < a.PartitionEpoch || c.LeaderEpoch < a.LeaderEpoch {
			w.add("R12 partition-epoch", states, "an AlterPartition of node %d at partition epoch %d and leader epoch %d was accepted, and these were %d and %d",
				c.From, c.PartitionEpoch, c.LeaderEpoch, a.PartitionEpoch, a.LeaderEpoch)
		}
	}
	switch {
	case b.PartitionEpoch < a.PartitionEpoch || b.LeaderEpoch < a.LeaderEpoch:
		w.add("R12 partition-epoch", states, "partition epoch %d and leader epoch %d came after %d and %d", b.PartitionEpoch, b.LeaderEpoch, a.PartitionEpoch, a.LeaderEpoch)
	case b.PartitionEpoch == a.PartitionEpoch && (!a.Same(b) || a.LeaderEpoch != b.LeaderEpoch):
		w.add("R12 partition-epoch", states, "the partition changed within partition epoch %d", a.PartitionEpoch)
	case b.PartitionEpoch < a.PartitionEpoch+steps:
		w.add("R12 partition-epoch", states, "%d AlterPartitions were accepted, and the partition epoch went from %d to %d", steps, a.PartitionEpoch, b.PartitionEpoch)
	}
	if b.Leader != a.Leader && b.Leader != kafka.NoNode && b.LeaderEpoch == a.LeaderEpoch {
		w.add("R12 partition-epoch", states, "the leader changed from %d to %d within leader epoch %d", a.Leader, b.Leader, a.LeaderEpoch)
	}
	if b.PartitionEpoch == a.PartitionEpoch+1 && b.Leader != a.Leader && b.Leader != kafka.NoNode {
		w.chosen(s, a, states)
	}
}

// chosen is R9 for a leader that one change made.
func (w *Watch) chosen(s *State, a *Registration, states []int) {
	n := s.Registered.Leader
	if slices.Contains(a.ISR, n) || s.Unclean {
		return
	}
	b := s.broker(n)
	unfenced := b != nil && !b.Fenced
	switch {
	case !slices.Contains(s.Registered.Replicas, a.Leader) && slices.Contains(s.Registered.ISR, n):
		// It joined in the change that ended a reassignment and took the old leader away: R8 and R13 judge that.
	case slices.Contains(a.ELR, n) && unfenced:
	case slices.Contains(a.ELR, n):
		w.add("R9 eligible-leaders", states, "node %d was elected among the eligible ones, and it is fenced", n)
	case slices.Contains(a.LastKnown, n) && len(a.ISR) == 0 && !slices.ContainsFunc(a.ELR, func(e kafka.NodeID) bool { return !w.anew(s, e) }):
	default:
		w.add("R9 eligible-leaders", states, "node %d was elected; in sync were %v, eligible %v, last known %v", n, a.ISR, a.ELR, a.LastKnown)
	}
}

// anew reports whether a node has been started anew since the state before, under page-cache durability: it is eligible no more.
func (w *Watch) anew(s *State, n kafka.NodeID) bool {
	was, is := w.before.broker(n), s.broker(n)
	return s.Cached && was != nil && is != nil && was.Incarnation != is.Incarnation
}

// expansions holds R8: who joins the in-sync replicas has reached the high watermark and the start of the leader's epoch,
// in that same epoch, as the process that is registered now.
func (w *Watch) expansions(s *State) {
	for _, c := range s.Alterations {
		if !c.Accepted {
			continue
		}
		for _, m := range c.ISR {
			if m.Epoch >= 0 && m.Registered != m.Epoch {
				w.add("R8 expansion", []int{s.Index}, "node %d was taken into the in-sync replicas with broker epoch %d, and %d was registered", m.Node, m.Epoch, m.Registered)
			}
		}
	}
	if w.before == nil || w.before.Registered.LeaderEpoch != s.Registered.LeaderEpoch {
		return
	}
	for _, n := range s.Registered.ISR {
		heard, told := s.Inside[s.Registered.Leader].Heard[n]
		if b := s.broker(n); told && b != nil && heard < b.Epoch && !slices.Contains(w.before.Registered.ISR, n) {
			w.add("R8 expansion", []int{w.before.Index, s.Index}, "node %d is in sync now as process %d, and the leader has heard of process %d only", n, b.Epoch, heard)
		}
	}
	l := s.replica(s.Registered.Leader)
	if l == nil || !l.Up || !l.Leads || l.Epoch != s.Registered.LeaderEpoch {
		return
	}
	for _, n := range s.Registered.ISR {
		r := s.replica(n)
		if r == nil || r.Replaced || slices.Contains(w.before.Registered.ISR, n) {
			continue
		}
		if s.Cached && !r.Up {
			continue // it may have lost since what it had
		}
		if to := s.counts(r); to < max(l.High, l.EpochStart) {
			w.add("R8 expansion", []int{w.before.Index, s.Index}, "node %d is in sync now and safe to %d; the high watermark is %d, and the leader's epoch began at %d", n, to, l.High, l.EpochStart)
		}
	}
}

// reassigned holds R13: when a reassignment is done, the replicas that hold what is committed are not fewer than before, or
// enough for the smaller of both replication factors. It goes by what was committed when it was looked at last: the ISR may have become smaller
// since the reassignment was done, and have committed more alone. Of a disk that was replaced nobody knows yet.
func (w *Watch) reassigned(s *State) {
	if w.before == nil || len(s.Registered.Adding) > 0 || sameNodes(w.before.Registered.Replicas, s.Registered.Replicas) && len(w.before.Registered.Adding) == 0 {
		return
	}
	a, b := &w.before.Registered, &s.Registered
	old := slices.DeleteFunc(slices.Clone(a.Replicas), func(n kafka.NodeID) bool { return slices.Contains(a.Adding, n) })
	if before, now := w.holders(s, old), w.holders(s, b.Replicas); now < min(before, len(old), len(b.Replicas)) {
		w.add("R13 reassignment", []int{w.before.Index, s.Index}, "of replicas %v %d hold what is committed; of %v, which they replaced, %d did", b.Replicas, now, old, before)
	}
}

// sameNodes reports whether two lists name the same nodes, in whatever order.
func sameNodes(a, b []kafka.NodeID) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(n kafka.NodeID) bool { return !slices.Contains(b, n) })
}

func (w *Watch) holders(s *State, nodes []kafka.NodeID) (n int) {
	for _, node := range nodes {
		r := s.replica(node)
		if r == nil {
			continue
		}
		if r.Replaced {
			n++
			continue
		}
		if _, missing := w.lacks(s, w.logs[node], s.counts(r), s.Registered.LeaderEpoch+1); !missing {
			n++
		}
	}
	return n
}
