package topics

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/wire"
)

// AlterPartitionReassignments serves AlterPartitionReassignments v0-1 (KIP-455) as far as a cluster of one broker goes:
// kafka-reassign-partitions asks for it also where it only moves replicas between the log directories of a broker. Naming the
// replicas that a partition has is done at once, and any other names a broker that there is not.
func (t *Topics) AlterPartitionReassignments(req *wire.Request) {
	in := req.Body.(*kmsg.AlterPartitionAssignmentsRequest)
	out := in.ResponseKind().(*kmsg.AlterPartitionAssignmentsResponse)
	out.AllowReplicationFactorChange = in.AllowReplicationFactorChange
	img := t.image()
	for _, topic := range in.Topics {
		rt := kmsg.NewAlterPartitionAssignmentsResponseTopic()
		rt.Topic = topic.Topic
		for _, p := range topic.Partitions {
			err := reassign(img, kafka.TopicPartition{Topic: topic.Topic, Partition: p.Partition}, p.Replicas)
			rp := kmsg.NewAlterPartitionAssignmentsResponseTopicPartition()
			rp.Partition, rp.ErrorCode, rp.ErrorMessage = p.Partition, int16(fault.CodeOf(err)), fault.MessageOf(err)
			rt.Partitions = append(rt.Partitions, rp)
		}
		out.Topics = append(out.Topics, rt)
	}
	req.Reply(wire.Reply{Message: out})
}

// reassign says what becomes of one partition. No replicas at all, null, call a reassignment back.
func reassign(img *image.Image, tp kafka.TopicPartition, replicas []int32) error {
	const op = "topics.AlterPartitionReassignments"
	refused := func(format string, args ...any) error {
		return fault.New(op, kafka.ErrInvalidReplicaAssignment, "The manual partition assignment "+format, args...)
	}
	topic := img.TopicNamed(tp.Topic)
	if topic == nil {
		return fault.New(op, kafka.ErrUnknownTopicOrPartition, "Unable to find a topic named %s.", tp.Topic)
	}
	p, ok := topic.Partition(tp.Partition)
	switch {
	case !ok:
		return fault.New(op, kafka.ErrUnknownTopicOrPartition, "Unable to find partition %s.", tp)
	case replicas == nil:
		return fault.New(op, kafka.ErrNoReassignmentInProgress, "%s", kafka.ErrNoReassignmentInProgress.String())
	case len(replicas) == 0:
		return refused("includes an empty replica list.")
	}
	sorted := slices.Sorted(slices.Values(replicas))
	for i, id := range sorted {
		if img.Broker(kafka.NodeID(id)) == nil {
			return refused("includes broker %d, but no such broker is registered.", id)
		}
		if i > 0 && sorted[i-1] == id {
			return refused("includes the broker %d more than once.", id)
		}
	}
	if !slices.Equal(nodeIDs(replicas), p.Replicas()) {
		return fault.New(op, kafka.ErrUnsupportedVersion, "This version moves no replicas between brokers.")
	}
	return nil
}
