package topics

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/staterecord"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// council is a controller that decides at once.
type council struct {
	m    *controller.Machine
	next kafka.Offset
	err  error
}

func (c *council) Submit(_ time.Duration, cmd controller.Command, done func(any, error)) {
	if c.err != nil {
		done(nil, c.err)
		return
	}
	recs, reply, err := c.m.Decide(kafka.Instant{Mono: time.Hour}, c.next, cmd)
	for _, r := range recs {
		c.m.Apply(c.next, r)
		c.next++
	}
	c.m.Commit(c.next)
	done(reply, err)
}

// threeBrokers returns an area beside a controller, with brokers 1 to 3 and a topic t of two partitions that 1 and 2 hold.
func threeBrokers(t *testing.T) (*Topics, *council) {
	features := []staterecord.FeatureRange{{Name: staterecord.FeatureKRaft, Max: 1}, {Name: staterecord.FeatureMetadataVersion, Min: 7, Max: 30}}
	c := &council{m: controller.New(controller.Options{Node: 1, DefaultPartitions: 1, DefaultReplicas: 1, SessionTimeout: time.Hour, Supported: features}), next: 3}
	submit := func(cmd any) {
		c.Submit(0, cmd, func(_ any, err error) { must.OK(err) })
	}
	submit(controller.Bootstrap{})
	for id := kafka.NodeID(1); id <= 3; id++ {
		submit(controller.RegisterBroker{Broker: id, Incarnation: kafka.IncarnationID{byte(id)}, LogDirs: []kafka.DirectoryID{{9, byte(id)}}, Features: features})
		submit(controller.Heartbeat{Broker: id, Epoch: c.m.Committed().Broker(id).Epoch, MetadataOffset: c.next})
	}
	submit(controller.CreateTopics{Topics: []controller.NewTopic{{ID: kafka.TopicID{1}, Name: "t", Partitions: -1, Replicas: -1,
		Assignment: []controller.Assigned{{Partition: 0, Replicas: []kafka.NodeID{1, 2}}, {Partition: 1, Replicas: []kafka.NodeID{2, 1}}}}}})
	return New(world.NewVirtual(1), func() *image.Image { return c.m.Committed() }, c, nil, nil), c
}

// asked has a handler answer.
func asked[R kmsg.Response](t *testing.T, handle func(*wire.Request), body kmsg.Request) R {
	t.Helper()
	var got kmsg.Response
	handle(&wire.Request{Body: body, Reply: func(r wire.Reply) { got = r.Message }})
	return got.(R)
}

func reassigning(p int32, replicas []int32) *kmsg.AlterPartitionAssignmentsRequest {
	req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	rt, rp := kmsg.NewAlterPartitionAssignmentsRequestTopic(), kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
	rp.Partition, rp.Replicas = p, replicas
	rt.Topic, rt.Partitions = "t", append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	return req
}

func listing(topics ...kmsg.ListPartitionReassignmentsRequestTopic) *kmsg.ListPartitionReassignmentsRequest {
	req := kmsg.NewPtrListPartitionReassignmentsRequest()
	req.Topics = topics
	return req
}

func TestReassignmentsAreBegunListedAndCancelled(t *testing.T) {
	a, c := threeBrokers(t)
	alter := func(p int32, replicas []int32, want kafka.ErrorCode) {
		t.Helper()
		got := asked[*kmsg.AlterPartitionAssignmentsResponse](t, a.AlterPartitionReassignments, reassigning(p, replicas))
		if r := got.Topics[0].Partitions[0]; got.ErrorCode != 0 || r.Partition != p || kafka.ErrorCode(r.ErrorCode) != want || (r.ErrorMessage == nil) != (want == 0) {
			t.Errorf("partition %d: %+v, want %v", p, got, want)
		}
	}
	list := func(want string, req *kmsg.ListPartitionReassignmentsRequest) {
		t.Helper()
		got := ""
		for _, topic := range asked[*kmsg.ListPartitionReassignmentsResponse](t, a.ListPartitionReassignments, req).Topics {
			for _, p := range topic.Partitions {
				got += fmt.Sprintf("%s-%d %v +%v -%v;", topic.Topic, p.Partition, p.Replicas, p.AddingReplicas, p.RemovingReplicas)
			}
		}
		if got != want {
			t.Errorf("listed %q, want %q", got, want)
		}
	}
	alter(0, nil, kafka.ErrNoReassignmentInProgress)
	alter(0, []int32{}, kafka.ErrInvalidReplicaAssignment)
	alter(7, []int32{1}, kafka.ErrUnknownTopicOrPartition)
	list("", listing())
	alter(0, []int32{3, 2}, 0)
	named := kmsg.NewListPartitionReassignmentsRequestTopic()
	named.Topic, named.Partitions = "t", []int32{1, 0, 9}
	none := kmsg.NewListPartitionReassignmentsRequestTopic()
	none.Topic, none.Partitions = "none", []int32{0}
	const underWay = "t-0 [3 2 1] +[3] -[1];"
	list(underWay, listing())
	list(underWay, listing(named, none))
	named.Partitions = []int32{1}
	list("", listing(named))
	alter(0, nil, 0)
	list("", listing())
	c.err = fault.New("test", kafka.ErrRequestTimedOut, "late")
	if got := asked[*kmsg.AlterPartitionAssignmentsResponse](t, a.AlterPartitionReassignments, reassigning(0, []int32{3})); kafka.ErrorCode(got.ErrorCode) != kafka.ErrRequestTimedOut || *got.ErrorMessage != "late" {
		t.Errorf("%+v", got)
	}
}

func TestElectLeadersAnswersTopicByTopic(t *testing.T) {
	a, c := threeBrokers(t)
	ask := func(kind int8, all bool, tags ...func(*kmsg.ElectLeadersRequest)) string {
		req := kmsg.NewPtrElectLeadersRequest()
		req.Version, req.ElectionType = 2, kind
		for _, put := range tags {
			put(req)
		}
		if !all {
			for _, name := range []string{"t", "none"} {
				rt := kmsg.NewElectLeadersRequestTopic()
				rt.Topic, rt.Partitions = name, []int32{0, 1}
				req.Topics = append(req.Topics, rt)
			}
		}
		got := asked[*kmsg.ElectLeadersResponse](t, a.ElectLeaders, req)
		s := kafka.ErrorCode(got.ErrorCode).String()
		for _, topic := range got.Topics {
			for _, p := range topic.Partitions {
				s += fmt.Sprintf(" %s-%d %s", topic.Topic, p.Partition, kafka.ErrorCode(p.ErrorCode))
			}
		}
		return s
	}
	const unknown = " none-0 UNKNOWN_TOPIC_OR_PARTITION none-1 UNKNOWN_TOPIC_OR_PARTITION"
	expect := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	expect(ask(0, false), "NONE t-0 ELECTION_NOT_NEEDED t-1 ELECTION_NOT_NEEDED"+unknown)
	expect(ask(0, true), "NONE")
	c.Submit(0, controller.BrokerDead{Broker: 1, Epoch: c.m.Committed().Broker(1).Epoch}, func(_ any, err error) { must.OK(err) })
	expect(ask(0, true), "NONE t-0 PREFERRED_LEADER_NOT_AVAILABLE")
	expect(ask(1, false), "NONE t-0 ELECTION_NOT_NEEDED t-1 ELECTION_NOT_NEEDED"+unknown)
	expect(ask(5, true), "INVALID_REQUEST")
	one := func(req *kmsg.ElectLeadersRequest) { req.UnknownTags.Set(wire.TagLastLeader, []byte{0, 0, 0, 1}) }
	expect(ask(wire.ElectLast, true), "INVALID_REQUEST") // nobody is named
	expect(ask(wire.ElectLast, true, func(req *kmsg.ElectLeadersRequest) { req.UnknownTags.Set(wire.TagLastLeader, []byte{0, 1}) }), "INVALID_REQUEST")
	expect(ask(0, true, one), "INVALID_REQUEST")
	expect(ask(1, true, one), "INVALID_REQUEST")
	expect(ask(wire.ElectLast, false, one), "NONE t-0 ELECTION_NOT_NEEDED t-1 ELECTION_NOT_NEEDED"+unknown)
	c.Submit(0, controller.BrokerDead{Broker: 2, Epoch: c.m.Committed().Broker(2).Epoch}, func(_ any, err error) { must.OK(err) })
	c.Submit(0, controller.BrokerDead{Broker: 3, Epoch: c.m.Committed().Broker(3).Epoch}, func(_ any, err error) { must.OK(err) })
	expect(ask(wire.ElectLast, false, one), "NONE t-0 ELIGIBLE_LEADERS_NOT_AVAILABLE t-1 ELIGIBLE_LEADERS_NOT_AVAILABLE"+unknown)
	c.err = fault.New("test", kafka.ErrNotController, "elsewhere")
	expect(ask(0, true), "NOT_CONTROLLER")
}
