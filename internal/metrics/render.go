package metrics

import (
	"slices"
	"time"
	"unicode/utf8"
)

// render writes a page.
func (m *Metrics) render(d dialect) []byte {
	groups, told := m.askGroups() // before the lock: it may wait
	m.scrape.Lock()
	defer m.scrape.Unlock()
	now := m.o.Now().Mono
	p := &page{dialect: d, b: make([]byte, 0, m.seen.bytes+m.seen.bytes/8+32<<10)}
	p.family("milena_build_info", gauge, "1, with the build in labels.")
	p.int(label("version", m.o.Version, "commit", m.o.Commit), 1)
	p.alone("milena_ready", gauge, "1 when clients are served.", one(*m.serving.Load() == nil))
	m.requests(p, now)
	m.connections(p)
	p.family("milena_fsync_seconds", histo, "Time of each sync of a file.")
	p.histogram("", m.syncs.read())
	if s := m.source.Load(); s != nil {
		m.observed(p, now, *s, groups, told)
	}
	p.family("milena_metrics_groups_missing_total", counter, "Pages without groups, since their coordinator was loading or took too long.")
	p.uint("", m.gaps.Load())
	m.process(p, now)
	m.seen.bytes = len(p.b)
	return p.b
}

// observed writes what the node tells. Over the limit the series of single partitions, topics, groups or committed offsets
// stay away, each kind for itself.
func (m *Metrics) observed(p *page, now time.Duration, s Source, groups []Group, told bool) {
	limit := m.o.PartitionLimit
	standing := s.Standing()
	p.standing(&standing)
	m.quorum(p, now, &standing)
	truncated := false
	topics := s.Topics()
	if len(topics) > limit {
		truncated, topics = true, nil
	}
	p.topics(&standing.Traffic, topics)
	if standing.Replicas.Led > limit {
		truncated = true
	} else {
		led := s.Partitions()
		p.partitions(led)
		p.followers(led)
	}
	if standing.Replicas.All-standing.Replicas.Led > limit {
		truncated = true
	} else {
		p.followed(s.Followed())
	}
	if told {
		offsets := 0
		for i := range groups {
			offsets += len(groups[i].Offsets)
		}
		truncated = truncated || offsets > limit || len(groups) > limit
		if len(groups) <= limit {
			p.groups(groups, offsets <= limit)
		}
	}
	p.alone("milena_metrics_truncated", gauge, "1 when series of single partitions, topics, groups or offsets were left out: there are more than milena.metrics.partition.limit.", one(truncated))
}

// askGroups asks for the groups and waits for the answer, though not for long.
func (m *Metrics) askGroups() (groups []Group, ok bool) {
	s := m.source.Load()
	if s == nil {
		return nil, false
	}
	answer := make(chan []Group, 1)
	(*s).Groups(func(g []Group, err error) {
		if err != nil {
			close(answer)
			return
		}
		answer <- g
	})
	late := time.NewTimer(m.o.GroupsWait)
	defer late.Stop()
	select {
	case groups, ok = <-answer:
		// Clients name groups, and the page is UTF-8: one name that is not would cost all of it.
		groups = slices.DeleteFunc(groups, func(g Group) bool { return !utf8.ValidString(g.Name) })
	case <-late.C:
	}
	if !ok {
		m.gaps.Add(1)
	}
	return groups, ok
}
