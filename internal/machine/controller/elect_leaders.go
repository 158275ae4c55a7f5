package controller

import (
	"fmt"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
)

// electLeaders has preferred replicas lead, or any replica where there is no leader (KIP-183, KIP-460).
func electLeaders(d *decision, c ElectLeaders) (any, error) {
	configs := topicConfigs{d: d}
	out := make([]ElectedLeader, 0, len(c.Partitions))
	if c.All {
		for t := range d.img.Topics() {
			for id, p := range t.Partitions() {
				// A request for all is not told of those where there was nothing to do.
				if pr := electOne(d, &configs, t, id, p, c); pr.Code != kafka.ErrElectionNotNeeded {
					out = append(out, ElectedLeader{Problem: pr, TopicPartition: kafka.TopicPartition{Topic: t.Name, Partition: id}})
				}
			}
		}
		return out, d.finish(false)
	}
	seen := map[kafka.TopicPartition]bool{}
	for _, tp := range c.Partitions {
		var pr Problem
		t, p, err := d.find(tp)
		switch {
		case seen[tp]:
			pr = Problem{kafka.ErrInvalidRequest, "Each partition must appear at most once."}
		case err != nil:
			pr = problem(err)
		default:
			pr = electOne(d, &configs, t, tp.Partition, p, c)
		}
		seen[tp] = true
		out = append(out, ElectedLeader{Problem: pr, TopicPartition: tp})
	}
	return out, d.finish(false)
}

func (d *decision) find(tp kafka.TopicPartition) (*image.Topic, *image.Partition, error) {
	t := d.img.TopicNamed(tp.Topic)
	if t == nil {
		return nil, nil, fault.New(op, kafka.ErrUnknownTopicOrPartition, "No such topic as %s", tp.Topic)
	}
	p, ok := t.Partition(tp.Partition)
	if !ok {
		return nil, nil, fault.New(op, kafka.ErrUnknownTopicOrPartition, "No such partition as %s", tp)
	}
	return t, p, nil
}

func electOne(d *decision, configs *topicConfigs, t *image.Topic, id int32, p *image.Partition, how ElectLeaders) Problem {
	unclean := how.Unclean
	if !unclean && p.Leader == p.Preferred() || unclean && p.Leader != kafka.NoNode {
		return Problem{kafka.ErrElectionNotNeeded, "Leader election not needed for topic partition."}
	}
	c := newChange(t.ID, id, p, configs.rules(t.Name), d.leaders().of(p))
	if !unclean && d.sessions.hangs(p.Preferred(), p.Directory(p.Preferred())) {
		return Problem{kafka.ErrPreferredLeaderNotAvailable, "The preferred leader's disk hangs."}
	}
	c.preferred = !unclean
	if how.Last != nil {
		c.vouched, c.rules.unclean = *how.Last, false
	} else {
		c.rules.unclean = c.rules.unclean || unclean
	}
	switch {
	case d.change(c):
		return Problem{}
	case how.Last != nil:
		return Problem{kafka.ErrEligibleLeadersNotAvailable, fmt.Sprintf("Broker %d is not available, or did not lead last, or others have to come back first.", *how.Last)}
	case unclean:
		return Problem{kafka.ErrEligibleLeadersNotAvailable, "Eligible topic partition leaders are not available."}
	}
	return Problem{kafka.ErrPreferredLeaderNotAvailable, "The preferred leader was not available."}
}

// maxBalanced is how many leaders one command moves: the rest follow with the next timers, so that the clients of all of
// them need not look for their new leaders at once (Kafka's constant).
const maxBalanced = 1000

// balanceLeaders has preferred replicas lead again that are back in their ISRs (auto.leader.rebalance.enable).
func balanceLeaders(d *decision) {
	if !d.sessions.unbalanced(d.now, d.o.Rebalance) {
		return
	}
	who := topicConfigs{d: d}
	for at := range d.img.NotPreferred() {
		if len(d.records) == maxBalanced {
			return // and on with the next timers
		}
		t := d.img.Topic(at.TopicID)
		p, _ := t.Partition(at.Partition)
		electOne(d, &who, t, at.Partition, p, ElectLeaders{})
	}
	d.sessions.balanced = d.now
}
