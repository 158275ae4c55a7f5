package offsets

import "github.com/milena-io/milena/internal/machine/group/classic"

// Expired returns the partitions of a group whose offsets have outlived the retention (KIP-211), sorted, and whether
// the group has no others. The group is nil for a simple consumer, which only ever commits.
//
// Without members the clock runs from the moment the group became empty, or from a commit made since: Kafka forgets the
// latter, and an offset that an administrator has just set for a long-empty group is gone at the next check. For a simple
// consumer it runs from the commit. Of a stable consumer group only topics that nobody subscribes to expire, from their
// commit. A group that rebalances, or whose members' topics are unknown, loses nothing.
func (s *Store) Expired(group string, g *classic.Group, nowMs, retentionMs int64) (expired []Partition, all bool) {
	since, may := base(g)
	all = true
	for _, p := range s.Partitions(group, true) {
		c, _ := s.Newest(group, p)
		due := may && nowMs-since(c) >= retentionMs
		if c.ExpireMs >= 0 {
			due = may && nowMs >= c.ExpireMs
		}
		if g != nil && g.SubscribedTo(p.Topic) || !due || s.Unstable(group, p) {
			all = false
			continue
		}
		expired = append(expired, p)
	}
	return expired, all && !s.HasOpen(group)
}

// base returns since when an offset counts as unused, and whether any may expire at all.
func base(g *classic.Group) (since func(Committed) int64, may bool) {
	commit := func(c Committed) int64 { return c.CommitMs }
	switch {
	case g == nil || g.ProtocolType == "":
		return commit, true
	case g.State == classic.Empty:
		return func(c Committed) int64 { return max(g.StateSinceMs, c.CommitMs) }, true
	case g.State == classic.Stable && g.UsesConsumerProtocol() && g.TopicsKnown():
		return commit, true
	}
	return nil, false
}
