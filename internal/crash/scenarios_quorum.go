package crash

import (
	"strings"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/quorum"
)

// often is a configuration that takes a snapshot after every few changes, and keeps one or two.
func often() quorum.Config { return quorum.Config{SnapshotBytes: 400, RetentionBytes: 900} }

// changes has the leader make changes of some size, all of them acknowledged.
func (c *council) changes(leader *voter, n int) error {
	for i := range n {
		c.host.story.Now.WallMs += 7
		key := []string{"log.retention.ms", "log.flush.interval.ms", "log.roll.ms"}[i%3]
		if err := c.change(leader, key, strings.Repeat("1", 5+i%4), true); err != nil {
			return err
		}
	}
	return nil
}

// formed is a quorum that a voter leads, with its first record.
func (s *Story) formed(n int, conf quorum.Config, leader int) (*council, error) {
	c, err := s.convene(n, conf)
	if err != nil {
		return nil, err
	}
	if err := c.elect(c.voters[leader]); err != nil {
		return nil, err
	}
	return c, c.submit(c.voters[leader], controller.Bootstrap{}, true)
}

// tellQuorum is a lone voter: changes, and snapshots that take the place of the log's beginning.
func tellQuorum(s *Story) error {
	c, err := s.formed(1, often(), 0)
	if err != nil {
		return err
	}
	first := c.voters[0]
	return steps(
		func() error { return c.changes(first, 4) },
		c.host.Checkpoint,
		func() error { return c.changes(first, 8) },
		c.host.later0,
	)
}

// tellQuorumStart is a lone voter that was killed with a change in the page cache, and goes on from there.
func tellQuorumStart(s *Story) error {
	c, err := s.formed(1, often(), 0)
	if err != nil {
		return err
	}
	first := c.voters[0]
	return steps(
		func() error { return c.changes(first, 8) },
		func() error { c.whisper(first, "log.roll.ms", "987654"); return nil },
		c.restart,
		func() error { return c.elect(first) },
		func() error { return c.changes(first, 6) },
	)
}

// tellQuorumVotes is a voter that follows one leader, then votes for another, while the third hears nothing: everything
// that was acknowledged then, and who leads, rests on its disk.
func tellQuorumVotes(s *Story) error {
	c, err := s.convene(3, quorum.Config{})
	if err != nil {
		return err
	}
	second, third := c.voters[1], c.voters[2]
	third.cut = true
	return steps(
		func() error { return c.elect(second) },
		func() error { return c.submit(second, controller.Bootstrap{}, true) },
		func() error { return c.changes(second, 4) },
		func() error { third.cut = false; second.actor.tick(); second.actor.tick(); return c.changes(second, 1) },
		func() error { second.cut = true; return c.elect(third) },
		func() error { return c.changes(third, 3) },
	)
}

// tellQuorumDiverges is a leader that is cut off and writes on. The others go on without it, and when it hears of them it
// has to let go of what it wrote.
func tellQuorumDiverges(s *Story) error { return s.diverges(quorum.Config{}, false) }

// tellQuorumInstall is the same, and meanwhile the others have dropped the log's beginning for a snapshot, which ends where
// the one that was cut off has records of its own.
func tellQuorumInstall(s *Story) error { return s.diverges(often(), true) }

func (s *Story) diverges(conf quorum.Config, install bool) error {
	c, err := s.formed(3, conf, 0)
	if err != nil {
		return err
	}
	first, second := c.voters[0], c.voters[1]
	if err := c.changes(first, 2); err != nil {
		return err
	}
	first.cut = true
	for range 25 {
		if err := c.change(first, "log.roll.ms", "54321", false); err != nil {
			return err
		}
	}
	return steps(
		func() error { return c.elect(second) },
		func() error { return c.changes(second, 9) },
		func() error {
			c.host.chapter("hear of the leader")
			if install { // from when the snapshot is there, a start empties the log as the installation would
				c.log.mayRestart(c.newest(second))
			}
			return c.heal(second)
		},
		func() error { c.voters[2].cut = true; return c.changes(second, 3) },
	)
}

// newest is where the newest snapshot of a voter ends.
func (c *council) newest(v *voter) kafka.Offset {
	s := must.Get(quorum.Newest(v.fs, root+"/"+metadata.String()))
	must.OK(s.Close())
	return s.End
}

// heal lets everybody hear everybody, until all have what the leader has.
func (c *council) heal(leader *voter) error {
	for _, v := range c.voters {
		v.cut = false
	}
	return leader.actor.until("all have caught up", func() bool {
		d := leader.q.Describe()
		for _, r := range d.Voters {
			if r.LogEnd != d.HighWatermark {
				return false
			}
		}
		return true
	})
}
