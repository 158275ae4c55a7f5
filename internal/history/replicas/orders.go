package replicas

import (
	"slices"

	"github.com/milena-io/milena/internal/kafka"
)

// truncations holds R10: a log is cut on a leader's word only while everything that was asked still is so, and a running
// replica never cuts below its own high watermark.
func (w *Watch) truncations(s *State) {
	for _, c := range s.Truncations {
		if c.Asked != c.Is {
			w.add("R10 truncation", []int{s.Index}, "node %d cut its log to %d by an answer to epoch %d, offset %d, last epoch %d, when it was at epoch %d, offset %d, last epoch %d",
				c.Node, c.To, c.Asked.LeaderEpoch, c.Asked.FetchOffset, c.Asked.LastFetchedEpoch, c.Is.LeaderEpoch, c.Is.FetchOffset, c.Is.LastFetchedEpoch)
		}
	}
	for i := range s.Replicas {
		r := &s.Replicas[i]
		old := w.was(r.Node)
		if old == nil {
			continue
		}
		if a, b := &w.before.Registered, &s.Registered; b.PartitionEpoch > a.PartitionEpoch+1 || !slices.Contains(a.Replicas, r.Node) || !slices.Contains(b.Replicas, r.Node) {
			continue // it may have been taken away and given back, and begun anew
		}
		if !old.Up || !r.Up || old.Incarnation != r.Incarnation || s.Unclean {
			continue
		}
		if r.End < old.High {
			w.add("R10 truncation", []int{w.before.Index, s.Index}, "node %d cut its log to %d, below its own high watermark %d", r.Node, r.End, old.High)
		}
	}
}

// answers holds R11: a request of an older epoch is fenced, one of a newer is told that it is unknown, and neither changes
// anything.
func (w *Watch) answers(s *State) {
	for _, a := range s.Answers {
		want := kafka.ErrNone
		switch {
		case a.Asked == kafka.NoLeaderEpoch || a.Asked == a.Own:
			continue
		case a.Asked < a.Own:
			want = kafka.ErrFencedLeaderEpoch
		default:
			want = kafka.ErrUnknownLeaderEpoch
		}
		if a.Code != want && a.Code != kafka.ErrNotLeaderOrFollower && a.Code != kafka.ErrUnknownTopicOrPartition || a.Changed {
			how := "it changed nothing"
			if a.Changed {
				how = "it changed what the node has"
			}
			w.add("R11 epoch-fence", []int{s.Index}, "a request of epoch %d to node %d in epoch %d was answered %v, and %s", a.Asked, a.Node, a.Own, a.Code, how)
		}
	}
}

// starts holds C5: the log of a running replica never begins earlier than before, and a leader's not before what was deleted.
func (w *Watch) starts(s *State) {
	for i := range s.Replicas {
		r := &s.Replicas[i]
		if old := w.was(r.Node); old != nil && old.Up && r.Up && old.Incarnation == r.Incarnation && r.Start < old.Start {
			w.add("C5 log-start", []int{w.before.Index, s.Index}, "the log of node %d began at %d, and begins at %d now", r.Node, old.Start, r.Start)
		}
		if r.Up && r.Leads && r.Epoch == s.Registered.LeaderEpoch && r.Start < s.Deleted && !s.Unclean {
			w.add("C5 log-start", []int{s.Index}, "node %d leads in epoch %d, and its log begins at %d; what is before %d was deleted", r.Node, r.Epoch, r.Start, s.Deleted)
		}
	}
}
