package controller

import (
	"slices"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/mutant"
	"github.com/milena-io/milena/internal/staterecord"
)

// alterPartition grants leaders the ISR they ask for (KIP-497), unless they are not the leader any more or a member
// could not be in sync: fenced, shutting down, gone or of another incarnation (KIP-841, KIP-903).
func alterPartition(d *decision, c AlterPartition) (any, error) {
	if _, err := registered(d, c.Broker, c.Epoch); err != nil {
		return nil, err
	}
	configs := topicConfigs{d: d}
	seen := map[kafka.TopicIDPartition]bool{}
	out := make([]AlteredPartition, len(c.Partitions))
	for i := range c.Partitions {
		w := &c.Partitions[i]
		out[i].ID = w.ID
		var err error
		if seen[w.ID] {
			err = fault.New(op, kafka.ErrInvalidRequest, "Each partition must appear at most once.")
		} else {
			seen[w.ID] = true
			err = grant(d, &configs, c.Broker, w, &out[i])
		}
		out[i].Problem = problem(err)
	}
	return out, nil
}

func grant(d *decision, configs *topicConfigs, from kafka.NodeID, w *PartitionWish, out *AlteredPartition) error {
	t := d.img.Topic(w.ID.TopicID)
	if t == nil {
		return fault.New(op, kafka.ErrUnknownTopicId, "This server does not host this topic ID.")
	}
	p, ok := t.Partition(w.ID.Partition)
	if !ok {
		return fault.New(op, kafka.ErrUnknownTopicOrPartition, "This server does not host this topic-partition.")
	}
	if err := checkWish(d.img, from, p, w); err != nil {
		return err
	}
	change := newChange(t.ID, w.ID.Partition, p, configs.rules(t.Name), d.leaders().of(p))
	change.isr, change.recovery = w.ISR, w.Recovery
	if w.Settled && p.Settling {
		// Everything that was committed is on the disk of every member (ADR 0036). From here on what is durable counts, and who became
		// eligible by page caches is so no more.
		change.settling, change.forget, change.rules.durable = staterecord.Settled, true, true
	}
	*out = AlteredPartition{
		ID: w.ID, Leader: p.Leader, LeaderEpoch: p.LeaderEpoch, PartitionEpoch: p.PartitionEpoch, ISR: p.ISR(), Recovery: p.Recovery,
	}
	r := change.record()
	if r == nil {
		// Nothing changes but the partition epoch: a leader that wishes for what it has wants older wishes of its own to be void, which may
		// be on their way still. (Apache Kafka's controller answers and leaves them valid.)
		r = staterecord.NewPartitionChange(t.ID, w.ID.Partition)
		r.ISR = p.ISR()
	}
	d.add(r)
	out.PartitionEpoch++
	if r.ISR != nil {
		out.ISR = r.ISR
	}
	if r.LeaderRecovery != staterecord.RecoveryUnchanged {
		out.Recovery = r.LeaderRecovery
	}
	if r.Leader == staterecord.LeaderUnchanged {
		return nil
	}
	out.Leader, out.LeaderEpoch = r.Leader, out.LeaderEpoch+1
	if r.Leader != from {
		// The change completes a reassignment that takes the leadership with it. It is made, and the old leader is told.
		return fault.New(op, kafka.ErrNewLeaderElected, "The change completed a reassignment; the new leader is %d.", r.Leader)
	}
	return nil
}

// checkWish holds a wish against the registration, in Kafka's order.
func checkWish(img *image.Image, from kafka.NodeID, p *image.Partition, w *PartitionWish) error {
	refused := func(code kafka.ErrorCode, format string, args ...any) error {
		return fault.New(op, code, format, args...)
	}
	switch {
	case w.LeaderEpoch > p.LeaderEpoch:
		return refused(kafka.ErrNotController, "The leader epoch is %d here, not yet %d.", p.LeaderEpoch, w.LeaderEpoch)
	case w.PartitionEpoch > p.PartitionEpoch:
		return refused(kafka.ErrNotController, "The partition epoch is %d here, not yet %d.", p.PartitionEpoch, w.PartitionEpoch)
	case w.LeaderEpoch < p.LeaderEpoch:
		return refused(kafka.ErrFencedLeaderEpoch, "The leader epoch is %d, not %d.", p.LeaderEpoch, w.LeaderEpoch)
	case from != p.Leader:
		return refused(kafka.ErrInvalidRequest, "The leader is %d, not %d.", p.Leader, from)
	case w.PartitionEpoch < p.PartitionEpoch && !mutant.On(mutant.StaleWishGranted):
		return refused(kafka.ErrInvalidUpdateVersion, "The partition epoch is %d, not %d.", p.PartitionEpoch, w.PartitionEpoch)
	case !distinct(w.ISR) || !subset(w.ISR, p.Replicas()):
		return refused(kafka.ErrInvalidRequest, "%v is no ISR of the replicas %v.", w.ISR, p.Replicas())
	case !slices.Contains(w.ISR, p.Leader):
		return refused(kafka.ErrInvalidRequest, "The ISR %v is without the leader %d.", w.ISR, p.Leader)
	case w.Recovery != staterecord.Recovered && w.Recovery != staterecord.Recovering:
		return refused(kafka.ErrInvalidRequest, "There is no leader recovery state %d.", w.Recovery)
	case w.Recovery == staterecord.Recovering && len(w.ISR) > 1:
		return refused(kafka.ErrInvalidRequest, "The ISR %v has more than the leader while that recovers from an unclean election.", w.ISR)
	case w.Recovery == staterecord.Recovering && p.Recovery == staterecord.Recovered:
		return refused(kafka.ErrInvalidRequest, "A leader that has recovered cannot go back to recovering.")
	}
	for i, id := range w.ISR {
		if why := ineligible(img.Broker(id), w, i); why != "" {
			return refused(kafka.ErrIneligibleReplica, "Broker %d cannot be in the ISR: %s.", id, why)
		}
	}
	return nil
}

func ineligible(b *image.Broker, w *PartitionWish, i int) string {
	switch {
	case b == nil:
		return "not registered"
	case b.ShuttingDown:
		return "shutting down"
	case b.Fenced:
		return "fenced"
	case i < len(w.Epochs) && w.Epochs[i] != -1 && w.Epochs[i] != b.Epoch && !mutant.On(mutant.StaleBrokerGranted):
		return "it was restarted since"
	}
	return ""
}

func distinct(list []kafka.NodeID) bool {
	for i, id := range list {
		if slices.Contains(list[:i], id) {
			return false
		}
	}
	return true
}
