package controller

import (
	"slices"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
)

// alterReassignments begins, changes and cancels reassignments (KIP-455). One that begins only adds replicas: AlterPartition
// takes those to remove away once all others are in sync, and in the same record, so that what is committed is never held by
// fewer brokers than the smaller of both assignments has.
func alterReassignments(d *decision, c AlterReassignments) (any, error) {
	configs := topicConfigs{d: d}
	seen := map[kafka.TopicPartition]bool{}
	out := make([]AlteredReassignment, len(c.Partitions))
	for i := range c.Partitions {
		w := &c.Partitions[i]
		out[i].TopicPartition = w.TopicPartition
		var err error
		switch {
		case seen[w.TopicPartition]:
			err = fault.New(op, kafka.ErrInvalidRequest, "Each partition must appear at most once.")
		default:
			err = reassign(d, &configs, w, c.AllowFactorChange)
		}
		seen[w.TopicPartition] = true
		out[i].Problem = problem(err)
	}
	return out, d.finish(false)
}

func reassign(d *decision, configs *topicConfigs, w *Reassignment, factor bool) error {
	t := d.img.TopicNamed(w.Topic)
	if t == nil {
		return fault.New(op, kafka.ErrUnknownTopicOrPartition, "Unable to find a topic named %s.", w.Topic)
	}
	p, ok := t.Partition(w.Partition)
	if !ok {
		return fault.New(op, kafka.ErrUnknownTopicOrPartition, "Unable to find partition %s:%d.", w.Topic, w.Partition)
	}
	c := newChange(t.ID, w.Partition, p, configs.rules(t.Name), nil)
	var err error
	if w.Replicas == nil {
		err = c.cancelReassignment(t.Name)
	} else {
		err = c.beginReassignment(d.img, t.Name, w.Replicas, factor)
	}
	if err != nil {
		return err
	}
	c.directory = func(id kafka.NodeID) kafka.DirectoryID {
		if slices.Contains(p.Replicas(), id) {
			return p.Directory(id)
		}
		return directoryOn(d.img.Broker(id))
	}
	if slices.Equal(c.replicas, p.Replicas()) {
		c.directory = nil
	}
	// A replica that is only being added has nothing to lead with: it is not in the ISR.
	c.acceptable = d.leaders().of(p)
	d.change(c)
	return nil
}

// beginReassignment sets out for other replicas: the new ones first, in their order of preference, then those to remove. One
// that is under way is called back at the same time: what it was adding and is not wanted any more goes at once, and a later
// cancellation leads back to where the first began (Kafka's controller would keep them all).
func (c *change) beginReassignment(img *image.Image, topic string, target []kafka.NodeID, change bool) error {
	if err := checkAssigned(img, target, -1); err != nil {
		return err
	}
	if have := factor(c.was); !change && have != len(target) {
		return fault.New(op, kafka.ErrInvalidReplicationFactor, "The replication factor is changed from %d to %d", have, len(target))
	}
	if len(target) > image.MaxReplicas/2 {
		return fault.New(op, kafka.ErrInvalidReplicaAssignment, "The manual partition assignment includes more than %d replicas.", image.MaxReplicas/2)
	}
	origin := without(c.was.Replicas(), c.was.Adding()...)
	removing := without(origin, target...)
	c.assignment = assignment{replicas: slices.Concat(target, removing), removing: removing, adding: without(target, origin...)}
	return c.dropAdded(topic)
}

// dropAdded takes from the ISR what is no replica any more, because it was only being added. Where nobody else is in sync, or
// eligible when nobody is in sync, or led last when nobody is eligible, that is an unclean election, for which the topic must allow it.
func (c *change) dropAdded(topic string) error {
	gone := func(id kafka.NodeID) bool { return !slices.Contains(c.replicas, id) }
	c.isr = slices.DeleteFunc(slices.Clone(c.was.ISR()), gone)
	may := c.was.ISR()
	for _, next := range [...][]kafka.NodeID{c.was.ELR(), c.was.LastKnownELR()} {
		if len(may) == 0 {
			may = next
		}
	}
	if len(may) > 0 && !slices.ContainsFunc(may, func(id kafka.NodeID) bool { return !gone(id) }) && !c.rules.unclean {
		return fault.New(op, kafka.ErrInvalidReplicaAssignment, "Unable to revert partition assignment for %s:%d because it would "+
			"require an unclean leader election.", topic, c.id.Partition)
	}
	return nil
}

// factor is how many replicas the partition has, or is going to have.
func factor(p *image.Partition) int { return len(without(p.Replicas(), p.Removing()...)) }

// cancelReassignment goes back to the replicas that there were.
func (c *change) cancelReassignment(topic string) error {
	if !c.was.Reassigning() {
		return fault.New(op, kafka.ErrNoReassignmentInProgress, "No partition reassignment is in progress.")
	}
	c.assignment = assignment{replicas: without(c.was.Replicas(), c.was.Adding()...)}
	if len(c.replicas) == 0 {
		return fault.New(op, kafka.ErrInvalidReplicaAssignment, "Invalid replica assignment: addingReplicas contains all replicas.")
	}
	return c.dropAdded(topic)
}
