package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/milena-io/milena/test/chaos/lab"
)

// deleteTopic deletes a topic and makes another one of its name while a broker is away: when it is back, what it had is no partition any
// more, and what it has is the new one's.
func (s *strike) deleteTopic() error {
	brokers := s.lab.Brokers()
	n := brokers[s.dice.IntN(len(brokers))]
	topic, err := s.doom(n)
	if err != nil {
		return err
	}
	if err := s.away(n, topic); err != nil {
		return err
	}
	s.wait(s.last)
	s.healed()
	if err := n.Start(); err != nil {
		return err
	}
	return s.back(n, topic)
}

// overtake is deleteTopic, and the metadata log of all others begins beyond what the node has when it comes back: a snapshot is all that
// it can get, of more than goes into one answer.
func (s *strike) overtake() error {
	n := s.one()
	topic, err := s.doom(n)
	if err != nil {
		return err
	}
	if err := s.away(n, topic); err != nil {
		return err
	}
	bulk, err := s.outgrow(n)
	if err != nil {
		return err
	}
	s.wait(s.last)
	printed, err := n.Printed()
	if err != nil {
		return err
	}
	s.healed()
	if err := n.Start(); err != nil {
		return err
	}
	err = until(s.ctx, "a snapshot of the metadata for a node that is behind its log", func(context.Context) error {
		return n.Tells(printed, "metadata snapshot of the leader installed")
	})
	if err != nil {
		return err
	}
	if n.Role != lab.Controller {
		err = until(s.ctx, "the replicas of a deleted topic are set aside", func(context.Context) error {
			return directories(n, topic+"-?.*-stray", partitions)
		})
		if err != nil {
			return err
		}
	}
	if err := s.back(n, topic); err != nil {
		return err
	}
	return s.ask.remove(s.ctx, bulk...)
}

// doom makes a topic with a record in each partition, and files on a node.
func (s *strike) doom(n *lab.Node) (topic string, err error) {
	topic = fmt.Sprintf("stray%d", s.dice.Uint32())
	s.report("node %d, %s, topic %s", n.ID, n.Role, topic)
	if err := s.ask.create(s.ctx, partitions, nil, topic); err != nil {
		return topic, err
	}
	if err := s.ask.write(s.ctx, topic, partitions, "old"); err != nil {
		return topic, err
	}
	if n.Role == lab.Controller {
		return topic, nil
	}
	return topic, until(s.ctx, "a new topic has files", func(context.Context) error { return directories(n, topic+"-?", partitions) })
}

// away kills a node, deletes the topic and makes the other one.
func (s *strike) away(n *lab.Node, topic string) error {
	s.begin()
	if err := n.Kill(); err != nil {
		return err
	}
	if err := s.ask.remove(s.ctx, topic); err != nil {
		return err
	}
	if err := s.ask.create(s.ctx, partitions, nil, topic); err != nil {
		return err
	}
	return s.ask.rewrite(s.ctx, topic, partitions, "new")
}

// back waits until the node has the new topic, and holds what all brokers have of it against each other.
func (s *strike) back(n *lab.Node, topic string) error {
	if err := s.calm(s.ctx); err != nil {
		return err
	}
	for p := range partitions {
		if _, err := sum(s.lab.Brokers(), fmt.Sprintf("%s-%d", topic, p)); err != nil {
			return fmt.Errorf("R1 replicas of a topic that was made anew while node %d was away: %w", n.ID, err)
		}
	}
	return s.ask.remove(s.ctx, topic)
}

// directories counts those of a node's log directory.
func directories(n *lab.Node, pattern string, want int) error {
	there, err := filepath.Glob(filepath.Join(n.Data(), pattern))
	if err == nil && len(there) != want {
		err = fmt.Errorf("node %d has %d directories %s, not %d", n.ID, len(there), pattern, want)
	}
	return err
}

// A snapshot with the configs of these topics is larger than the chunk of 1 MiB in which one is handed over.
const (
	bulkTopics = 20
	bulkConfig = 30_000 // bytes; a string of Kafka's has 32,767 at most
)

// outgrow makes topics with large configs, and changes these until the log of all controllers but n begins beyond n's end.
func (s *strike) outgrow(n *lab.Node) (bulk []string, err error) {
	for i := range bulkTopics {
		bulk = append(bulk, fmt.Sprintf("bulk%d-%d", s.dice.Uint32(), i))
	}
	const one, other = "leader.replication.throttled.replicas", "follower.replication.throttled.replicas"
	value := func(replica int) *string {
		text := strings.Repeat(fmt.Sprintf("0:%d,", replica), bulkConfig/4-1) + "0:1"
		return &text
	}
	if err := s.ask.create(s.ctx, 1, map[string]*string{one: value(1), other: value(2)}, bulk...); err != nil {
		return bulk, err
	}
	end, err := s.ask.committed(s.ctx)
	if err != nil {
		return bulk, err
	}
	end += 10 // what n may have and nobody committed
	turn := 0
	err = until(s.ctx, "the metadata logs begin beyond a node that is away", func(ctx context.Context) error {
		for _, c := range s.lab.Controllers() {
			if c == n {
				continue
			}
			if first, err := oldestSnapshot(c); err != nil || first <= end {
				turn++
				why := fmt.Errorf("node %d has its log from offset %d (%v), and node %d may end at %d", c.ID, first, err, n.ID, end)
				if err := s.ask.configure(ctx, bulk[turn%len(bulk)], one, *value(1 + turn%3)); err != nil {
					return fmt.Errorf("%w; %w", why, err)
				}
				return why
			}
		}
		return nil
	})
	s.report("%d changes of large configs", turn)
	return bulk, err
}

// oldestSnapshot is where the oldest snapshot of the metadata ends: no controller keeps what is before.
func oldestSnapshot(n *lab.Node) (int64, error) {
	there, err := filepath.Glob(filepath.Join(n.Data(), "__cluster_metadata-0", "*-*.checkpoint"))
	if err != nil || len(there) == 0 {
		return 0, err
	}
	slices.Sort(there)
	offset, _, _ := strings.Cut(filepath.Base(there[0]), "-")
	return strconv.ParseInt(offset, 10, 64)
}
