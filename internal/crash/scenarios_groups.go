package crash

// tellGroups is a coordinator: commits that take the seat of earlier ones, a deletion, a rebalance, a compaction of them,
// and a process that is killed with a commit in the page cache.
func tellGroups(s *Story) error {
	g, err := s.coordinate()
	if err != nil {
		return err
	}
	a, b := seat{"a", 0}, seat{"b", 1}
	return steps(
		func() error { return g.commit(a, 1) },
		func() error { return g.commit(b, 7) },
		func() error { return g.commit(a, 2) },
		func() error { return g.forget(b) },
		func() error { return g.join("members", "m1") },
		func() error { return g.commit(a, 3) },
		func() error { return g.commit(b, 8) },
		func() error { return g.commit(a, 4) },
		g.host.Checkpoint,
		g.log.Compact,
		g.host.later0,
		func() error { return g.commit(a, 5) },
		func() error { return g.commit(b, 9) },
	)
}

// tellGroupsStart is a coordinator that is killed before a commit was flushed, and the one after it.
func tellGroupsStart(s *Story) error {
	g, err := s.coordinate()
	if err != nil {
		return err
	}
	at := seat{"a", 0}
	return steps(
		func() error { return g.commit(at, 1) },
		func() error { return g.join("members", "m1") },
		func() error {
			g.told.asked[at] = append(g.told.asked[at], 2)
			g.promised()
			g.c.Submit(at.group, commitOf(at, 2), func(any, error) {})
			g.actor.queue = nil // the process does not live to see what comes of it
			return nil
		},
		g.restart,
		func() error { return g.commit(at, 3) },
		func() error { return g.join("members", "m2") },
	)
}
