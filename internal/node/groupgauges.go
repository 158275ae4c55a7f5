package node

import (
	"cmp"
	"slices"
	"sync"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group"
	"github.com/milena-io/milena/internal/metrics"
)

// Groups tells of the groups that this node coordinates: it lists them, then asks about each one. A group that goes away
// in between is left out.
func (g gauges) Groups(done func([]metrics.Group, error)) {
	if g.n.groups == nil {
		done(nil, nil) // it is no broker
		return
	}
	g.n.groups.SubmitAll(&group.List{}, func(replies []any, err error) {
		if err != nil {
			done(nil, err)
			return
		}
		s := &survey{g: g, done: done}
		for _, r := range replies {
			for _, l := range r.(group.ListReply).Groups {
				s.groups = append(s.groups, metrics.Group{Name: l.Group, State: l.State.String()})
			}
		}
		slices.SortFunc(s.groups, func(a, b metrics.Group) int { return cmp.Compare(a.Name, b.Name) })
		s.ask()
	})
}

// survey asks about every group, and tells when it knows of all.
type survey struct {
	g    gauges
	done func([]metrics.Group, error)

	mu     sync.Mutex
	groups []metrics.Group
	gone   []bool
	left   int
}

func (s *survey) ask() {
	s.left, s.gone = 2*len(s.groups)+1, make([]bool, len(s.groups))
	for i := range s.groups {
		name := s.groups[i].Name
		s.g.n.groups.Submit(name, &group.Describe{Group: name}, func(reply any, err error) {
			s.take(i, err, func(out *metrics.Group) { out.Members = len(reply.(group.Description).Members) })
		})
		s.g.n.groups.Submit(name, &group.FetchOffsets{Group: name, All: true}, func(reply any, err error) {
			s.take(i, err, func(out *metrics.Group) { s.g.committed(out, reply.(group.FetchReply)) })
		})
	}
	s.take(-1, nil, nil)
}

// take takes one answer. After the last one nobody else touches the groups.
func (s *survey) take(i int, err error, fill func(*metrics.Group)) {
	s.mu.Lock()
	switch {
	case i < 0:
	case err != nil:
		s.gone[i] = true
	default:
		fill(&s.groups[i])
	}
	s.left--
	last := s.left == 0
	s.mu.Unlock()
	if !last {
		return
	}
	out := make([]metrics.Group, 0, len(s.groups))
	for i := range s.groups {
		if !s.gone[i] {
			out = append(out, s.groups[i])
		}
	}
	s.done(out, nil)
}

// committed fills in what a group has committed. The lag is what is between the committed offset, or the log start where
// retention has overtaken it, and the high watermark: never negative, and nothing that is gone.
func (g gauges) committed(out *metrics.Group, r group.FetchReply) {
	for i := range r.Offsets {
		f := &r.Offsets[i]
		if f.Offset < 0 || f.Err != kafka.ErrNone {
			continue
		}
		c := metrics.Committed{TopicPartition: kafka.TopicPartition{Topic: f.Topic, Partition: f.Partition.Partition}, Offset: f.Offset}
		if p, err := g.n.replicas.ByName(c.TopicPartition); err == nil {
			s := g.n.storage.Standing(p)
			c.Lag, c.Known = int64(max(s.High-max(f.Offset, s.LogStart), 0)), true
		}
		out.Offsets = append(out.Offsets, c)
	}
	sortCommitted(out.Offsets)
}
