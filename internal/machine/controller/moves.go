package controller

import (
	"slices"

	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

// change works out how a partition's registration goes on from a wished ISR: who leads, whether a reassignment is
// complete, what the record has to say. Eligible leader replicas (KIP-966) are not kept in a cluster of ours, where the
// feature is at 0. Those that Kafka wrote are elected from; and in a log where Kafka has the feature on, the last member
// of an ISR that goes becomes eligible, because Kafka's way with a broker that died in between starts from there.
type change struct {
	topic      kafka.TopicID
	id         int32
	was        *image.Partition
	isr        []kafka.NodeID
	recovery   staterecord.LeaderRecovery
	elr        bool                    // the log has eligible.leader.replicas.version on
	unclean    bool                    // a replica outside the ISR may lead when none inside can
	acceptable func(kafka.NodeID) bool // whether a broker may lead the partition

	replicas, removing, adding []kafka.NodeID
	moved                      func(kafka.NodeID) kafka.DirectoryID // the directories that the replicas come to; nil when they stay
}

func newChange(topic kafka.TopicID, id int32, was *image.Partition) *change {
	return &change{
		topic: topic, id: id, was: was, isr: was.ISR(), recovery: was.Recovery,
		replicas: was.Replicas(), removing: was.Removing(), adding: was.Adding(),
	}
}

// record returns the change, nil when nothing changes.
func (c *change) record() *staterecord.PartitionChange {
	r := staterecord.NewPartitionChange(c.topic, c.id)
	c.completeReassignment()
	c.elect(r)
	if r.Leader == staterecord.LeaderUnchanged && !subset(c.was.Replicas(), c.replicas) {
		r.Leader = c.was.Leader // a replica that left must not be believed in the old epoch
	}
	// An empty ISR is not written: its last members are who must come back.
	if r.ISR == nil && len(c.isr) > 0 && !slices.Equal(c.isr, c.was.ISR()) {
		r.ISR = c.isr
	}
	c.eligibles(r)
	c.assignment(r)
	if r.LeaderRecovery == staterecord.RecoveryUnchanged && c.recovery != c.was.Recovery {
		r.LeaderRecovery = c.recovery
	}
	if r.IsEmpty() {
		return nil
	}
	return r
}

// elect keeps the leader while it can lead, else takes the first replica that can (Kafka's order of preference).
func (c *change) elect(r *staterecord.PartitionChange) {
	clean := func(id kafka.NodeID) bool { return slices.Contains(c.isr, id) && c.acceptable(id) }
	leader, unclean, eligible := kafka.NoNode, false, c.eligible()
	if c.was.Leader != kafka.NoNode && clean(c.was.Leader) {
		leader = c.was.Leader
	} else if i := slices.IndexFunc(c.replicas, clean); i >= 0 {
		leader = c.replicas[i]
	} else if i := slices.IndexFunc(eligible, c.acceptable); i >= 0 {
		leader, r.ISR = eligible[i], []kafka.NodeID{eligible[i]}
		if len(c.was.ELR()) == 0 {
			unclean = true
		}
	} else if i := slices.IndexFunc(c.replicas, c.acceptable); i >= 0 && c.unclean {
		leader, unclean = c.replicas[i], true
	}
	if leader == c.was.Leader {
		return
	}
	r.Leader = leader
	if unclean {
		// Records may be lost here: the new leader is the only replica that agrees with itself (KIP-704).
		r.ISR = []kafka.NodeID{leader}
		if c.was.Recovery != staterecord.Recovering {
			r.LeaderRecovery = staterecord.Recovering
		}
	}
}

// eligibles says who is eligible from now on.
func (c *change) eligibles(r *staterecord.PartitionChange) {
	leaderless := r.Leader == kafka.NoNode || r.Leader == staterecord.LeaderUnchanged && c.was.Leader == kafka.NoNode
	if c.elr && leaderless && len(c.isr) == 0 {
		if last := c.was.ISR(); len(last) > 0 {
			r.ISR, r.ELR = []kafka.NodeID{}, last
			if c.was.Leader != kafka.NoNode {
				r.LastKnownELR = []kafka.NodeID{c.was.Leader}
			}
		}
		return
	}
	if len(c.was.ELR()) > 0 {
		r.ELR = []kafka.NodeID{}
	}
	if len(c.was.LastKnownELR()) > 0 {
		r.LastKnownELR = []kafka.NodeID{}
	}
}

// eligible are the replicas beside the ISR that may lead: those that Kafka kept as eligible, which have every record that
// was acknowledged; and where it knew of nobody any more, the last leader, when that is one.
func (c *change) eligible() []kafka.NodeID {
	if len(c.was.ELR()) == 0 && len(c.isr) == 0 && len(c.was.LastKnownELR()) == 1 {
		return c.was.LastKnownELR()
	}
	return c.was.ELR()
}

// completeReassignment drops the replicas to remove once the rest are all in sync.
func (c *change) completeReassignment() {
	if len(c.removing) == 0 && len(c.adding) == 0 {
		return
	}
	isr, replicas := without(c.isr, c.removing...), without(c.replicas, c.removing...)
	if len(isr) == 0 || len(replicas) == 0 || !subset(replicas, isr) {
		return
	}
	c.isr, c.replicas, c.removing, c.adding = isr, replicas, nil, nil
}

func (c *change) assignment(r *staterecord.PartitionChange) {
	if !slices.Equal(c.replicas, c.was.Replicas()) {
		r.Replicas = c.replicas
	}
	if r.Replicas != nil || c.moved != nil {
		at := c.was.Directory
		if c.moved != nil {
			at = c.moved
		}
		for _, id := range c.replicas {
			r.Directories = append(r.Directories, at(id))
		}
	}
	if !slices.Equal(c.removing, c.was.Removing()) {
		r.Removing = append([]kafka.NodeID{}, c.removing...)
	}
	if !slices.Equal(c.adding, c.was.Adding()) {
		r.Adding = append([]kafka.NodeID{}, c.adding...)
	}
}

// subset reports whether every element of a is in b.
func subset(a, b []kafka.NodeID) bool {
	for _, id := range a {
		if !slices.Contains(b, id) {
			return false
		}
	}
	return true
}

// without returns a list of its own of what is not named.
func without[T comparable](list []T, gone ...T) []T {
	out := make([]T, 0, len(list))
	for _, id := range list {
		if !slices.Contains(gone, id) {
			out = append(out, id)
		}
	}
	return out
}

// leaders tells who may lead: a broker that is active and whose log directory of the partition works. leaves is never
// acceptable and joins always is, because while their fencing is decided the image still shows the opposite.
type leaders struct {
	img           *image.Image
	leaves, joins kafka.NodeID
}

func (l leaders) of(p *image.Partition) func(kafka.NodeID) bool {
	return func(id kafka.NodeID) bool {
		b := l.img.Broker(id)
		return b != nil && id != l.leaves && (id == l.joins || b.Active()) && b.HasDirectory(p.Directory(id))
	}
}

// leave takes a broker out of the ISR and leadership of every partition that keep selects; all of them when it is nil.
func leave(d *decision, broker kafka.NodeID, keep func(*image.Partition) bool) {
	left := d.img.Load(broker).InSync
	who := leaders{img: d.img, leaves: broker, joins: kafka.NoNode}
	configs := topicConfigs{d: d}
	for t := range d.img.Topics() {
		if left == 0 {
			return
		}
		for id, p := range t.Partitions() {
			if !slices.Contains(p.ISR(), broker) {
				continue
			}
			left--
			if keep != nil && !keep(p) {
				continue
			}
			c := newChange(t.ID, id, p)
			c.isr = without(p.ISR(), broker)
			c.elr = d.img.Feature(staterecord.FeatureElr) > 0
			c.unclean, c.acceptable = configs.unclean(t.Name), who.of(p)
			if r := c.record(); r != nil {
				d.add(r)
			}
		}
	}
}

// join gives leaderless partitions a leader where the broker that comes back makes that possible.
func join(d *decision, broker kafka.NodeID) {
	who := leaders{img: d.img, leaves: kafka.NoNode, joins: broker}
	configs := topicConfigs{d: d}
	for at := range d.img.Leaderless() {
		t := d.img.Topic(at.TopicID)
		p, _ := t.Partition(at.Partition)
		c := newChange(at.TopicID, at.Partition, p)
		c.elr = d.img.Feature(staterecord.FeatureElr) > 0
		c.unclean, c.acceptable = configs.unclean(t.Name), who.of(p)
		if r := c.record(); r != nil {
			d.add(r)
		}
	}
}
