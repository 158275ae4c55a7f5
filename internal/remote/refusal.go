package remote

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/must"
)

// refusal is the answer to a request of which nothing was done, or nothing is known: the error stands wherever the answer has a
// place for one, as by Kafka's getErrorResponse.
func refusal(m kmsg.Request, err error) kmsg.Response {
	code, why := int16(fault.CodeOf(err)), fault.MessageOf(err)
	switch in := m.(type) {
	case *kmsg.CreateTopicsRequest, *kmsg.DeleteTopicsRequest, *kmsg.CreatePartitionsRequest, *kmsg.ElectLeadersRequest,
		*kmsg.AlterPartitionAssignmentsRequest:
		return refusedTopics(m, code, why)
	case *kmsg.AlterConfigsRequest:
		out := in.ResponseKind().(*kmsg.AlterConfigsResponse)
		for i := range in.Resources {
			r := kmsg.NewAlterConfigsResponseResource()
			r.ResourceType, r.ResourceName, r.ErrorCode, r.ErrorMessage = in.Resources[i].ResourceType, in.Resources[i].ResourceName, code, why
			out.Resources = append(out.Resources, r)
		}
		return out
	case *kmsg.IncrementalAlterConfigsRequest:
		out := in.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
		for i := range in.Resources {
			r := kmsg.NewIncrementalAlterConfigsResponseResource()
			r.ResourceType, r.ResourceName, r.ErrorCode, r.ErrorMessage = in.Resources[i].ResourceType, in.Resources[i].ResourceName, code, why
			out.Resources = append(out.Resources, r)
		}
		return out
	case *kmsg.ListPartitionReassignmentsRequest:
		out := in.ResponseKind().(*kmsg.ListPartitionReassignmentsResponse)
		out.ErrorCode, out.ErrorMessage = code, why
		return out
	case *kmsg.DescribeQuorumRequest:
		out := in.ResponseKind().(*kmsg.DescribeQuorumResponse)
		out.ErrorCode, out.ErrorMessage = code, why
		return out
	case *kmsg.UpdateFeaturesRequest:
		out := in.ResponseKind().(*kmsg.UpdateFeaturesResponse)
		out.ErrorCode, out.ErrorMessage = code, why
		return out
	case *kmsg.UnregisterBrokerRequest:
		out := in.ResponseKind().(*kmsg.UnregisterBrokerResponse)
		out.ErrorCode, out.ErrorMessage = code, why
		return out
	case *kmsg.AddRaftVoterRequest:
		out := in.ResponseKind().(*kmsg.AddRaftVoterResponse)
		out.ErrorCode, out.ErrorMessage = code, why
		return out
	case *kmsg.RemoveRaftVoterRequest:
		out := in.ResponseKind().(*kmsg.RemoveRaftVoterResponse)
		out.ErrorCode, out.ErrorMessage = code, why
		return out
	}
	must.Hold(false, "%T is not forwarded", m)
	return nil
}

// refusedTopics is refusal for what is answered topic by topic.
func refusedTopics(m kmsg.Request, code int16, why *string) kmsg.Response {
	switch in := m.(type) {
	case *kmsg.CreateTopicsRequest:
		out := in.ResponseKind().(*kmsg.CreateTopicsResponse)
		for i := range in.Topics {
			t := kmsg.NewCreateTopicsResponseTopic()
			t.Topic, t.ErrorCode, t.ErrorMessage, t.NumPartitions, t.ReplicationFactor = in.Topics[i].Topic, code, why, -1, -1
			t.Configs = []kmsg.CreateTopicsResponseTopicConfig{}
			out.Topics = append(out.Topics, t)
		}
		return out
	case *kmsg.DeleteTopicsRequest:
		out := in.ResponseKind().(*kmsg.DeleteTopicsResponse)
		add := func(name *string, id [16]byte) {
			t := kmsg.NewDeleteTopicsResponseTopic()
			t.Topic, t.TopicID, t.ErrorCode, t.ErrorMessage = name, id, code, why
			out.Topics = append(out.Topics, t)
		}
		for i := range in.TopicNames {
			add(&in.TopicNames[i], [16]byte{})
		}
		for i := range in.Topics {
			add(in.Topics[i].Topic, in.Topics[i].TopicID)
		}
		return out
	case *kmsg.CreatePartitionsRequest:
		out := in.ResponseKind().(*kmsg.CreatePartitionsResponse)
		for i := range in.Topics {
			t := kmsg.NewCreatePartitionsResponseTopic()
			t.Topic, t.ErrorCode, t.ErrorMessage = in.Topics[i].Topic, code, why
			out.Topics = append(out.Topics, t)
		}
		return out
	case *kmsg.ElectLeadersRequest:
		out := in.ResponseKind().(*kmsg.ElectLeadersResponse)
		out.ErrorCode = code
		for i := range in.Topics {
			t := kmsg.NewElectLeadersResponseTopic()
			t.Topic = in.Topics[i].Topic
			for _, n := range in.Topics[i].Partitions {
				p := kmsg.NewElectLeadersResponseTopicPartition()
				p.Partition, p.ErrorCode, p.ErrorMessage = n, code, why
				t.Partitions = append(t.Partitions, p)
			}
			out.Topics = append(out.Topics, t)
		}
		return out
	}
	in := m.(*kmsg.AlterPartitionAssignmentsRequest)
	out := in.ResponseKind().(*kmsg.AlterPartitionAssignmentsResponse)
	out.ErrorCode, out.ErrorMessage = code, why
	for i := range in.Topics {
		t := kmsg.NewAlterPartitionAssignmentsResponseTopic()
		t.Topic = in.Topics[i].Topic
		for k := range in.Topics[i].Partitions {
			p := kmsg.NewAlterPartitionAssignmentsResponseTopicPartition()
			p.Partition, p.ErrorCode, p.ErrorMessage = in.Topics[i].Partitions[k].Partition, code, why
			t.Partitions = append(t.Partitions, p)
		}
		out.Topics = append(out.Topics, t)
	}
	return out
}
