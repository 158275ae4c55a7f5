package topics

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/wire"
)

// Kinds of election of ElectLeaders; version 0 knows only the first, and Apache Kafka only two.
const (
	electPreferred = 0
	electUnclean   = 1
)

// ElectLeaders serves ElectLeaders v0-2 (KIP-183, KIP-460), on any broker: preferred replicas lead again, or any replica leads
// what has no leader. Null for the partitions is all of them.
//
// A third kind elects the last known leader that a tag names, or nobody (ADR 0038).
func (t *Topics) ElectLeaders(req *wire.Request) {
	const op = "topics.ElectLeaders"
	in := req.Body.(*kmsg.ElectLeadersRequest)
	out := in.ResponseKind().(*kmsg.ElectLeadersResponse)
	cmd := controller.ElectLeaders{Unclean: in.Version >= 1 && in.ElectionType != electPreferred, All: in.Topics == nil}
	for _, topic := range in.Topics {
		for _, p := range topic.Partitions {
			cmd.Partitions = append(cmd.Partitions, kafka.TopicPartition{Topic: topic.Topic, Partition: p})
		}
	}
	refused := func(err error) {
		out.ErrorCode = int16(fault.CodeOf(err))
		for _, tp := range cmd.Partitions {
			elected(out, controller.ElectedLeader{TopicPartition: tp, Problem: controller.Problem{Code: fault.CodeOf(err), Message: text(fault.MessageOf(err))}})
		}
		req.Reply(wire.Reply{Message: out})
	}
	var err error
	cmd.Last, err = wire.LastLeaderNamed(&in.UnknownTags)
	switch {
	case err != nil:
	case cmd.Unclean && in.ElectionType != electUnclean && (in.ElectionType != wire.ElectLast || cmd.Last == nil):
		err = fault.New(op, kafka.ErrInvalidRequest, "Unknown election type %d", in.ElectionType)
	case cmd.Last != nil && in.ElectionType != wire.ElectLast:
		err = fault.New(op, kafka.ErrInvalidRequest, "Broker %d is named, and an election of type %d elects whom it will", *cmd.Last, in.ElectionType)
	}
	if err != nil {
		refused(err)
		return
	}
	t.controller.Submit(timeout(in.TimeoutMillis), cmd, func(reply any, err error) {
		if err != nil {
			refused(err)
			return
		}
		for _, e := range reply.([]controller.ElectedLeader) {
			elected(out, e)
		}
		req.Reply(wire.Reply{Message: out})
	})
}

// elected adds one partition's result. They come topic by topic.
func elected(out *kmsg.ElectLeadersResponse, e controller.ElectedLeader) {
	if n := len(out.Topics); n == 0 || out.Topics[n-1].Topic != e.Topic {
		rt := kmsg.NewElectLeadersResponseTopic()
		rt.Topic = e.Topic
		out.Topics = append(out.Topics, rt)
	}
	p := kmsg.NewElectLeadersResponseTopicPartition()
	p.Partition, p.ErrorCode = e.Partition, int16(e.Code)
	if e.Message != "" {
		p.ErrorMessage = &e.Message
	}
	last := &out.Topics[len(out.Topics)-1]
	last.Partitions = append(last.Partitions, p)
}
