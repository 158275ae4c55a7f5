package commands

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
)

// Write makes the request of a command; nil when there is none, since only the controller's own process gives it, or clients do.
func Write(cluster string, cmd controller.Command) kmsg.Request {
	switch c := cmd.(type) {
	case controller.RegisterBroker:
		return WriteRegisterBroker(cluster, c)
	case controller.Heartbeat:
		return WriteHeartbeat(c)
	case controller.AlterPartition:
		return WriteAlterPartition(c)
	case controller.AssignReplicas:
		return WriteAssignReplicas(c)
	case controller.AllocateProducerIDs:
		return WriteAllocateProducerIDs(c)
	case controller.RegisterController:
		return WriteRegisterController(c)
	case controller.CreateTopics:
		return WriteCreateTopics(c)
	}
	return nil
}

// Reply reads the answer to a command's request: the reply, or the error with which it was refused as a whole.
func Reply(cmd controller.Command, answer kmsg.Response) (any, error) {
	switch m := answer.(type) {
	case *kmsg.BrokerRegistrationResponse:
		return registered(m)
	case *kmsg.BrokerHeartbeatResponse:
		return beat(m)
	case *kmsg.AlterPartitionResponse:
		return alteredPartitions(m)
	case *kmsg.AssignReplicasToDirsResponse:
		return assignedReplicas(m)
	case *kmsg.AllocateProducerIDsResponse:
		return producerIDs(m)
	case *kmsg.ControllerRegistrationResponse:
		return controllerRegistered(m)
	case *kmsg.CreateTopicsResponse:
		return createdTopics(cmd.(controller.CreateTopics), m)
	}
	return nil, fault.New("controller", kafka.ErrUnknownServerError, "%v is no answer to a command.", kafka.APIKey(answer.Key()))
}

// NotController reports whether an answer says that whoever was asked is not the active controller. A leader that asks with
// epochs which the controller hasn't reached is told so for single partitions of AlterPartition, which is another matter.
func NotController(answer kmsg.Response) bool {
	var code int16
	switch m := answer.(type) {
	case *kmsg.BrokerRegistrationResponse:
		code = m.ErrorCode
	case *kmsg.BrokerHeartbeatResponse:
		code = m.ErrorCode
	case *kmsg.AlterPartitionResponse:
		code = m.ErrorCode
	case *kmsg.AssignReplicasToDirsResponse:
		code = m.ErrorCode
	case *kmsg.AllocateProducerIDsResponse:
		code = m.ErrorCode
	case *kmsg.ControllerRegistrationResponse:
		code = m.ErrorCode
	case *kmsg.EnvelopeResponse:
		code = m.ErrorCode
	case *kmsg.CreateTopicsResponse:
		for i := range m.Topics {
			if kafka.ErrorCode(m.Topics[i].ErrorCode) == kafka.ErrNotController {
				return true
			}
		}
	}
	return kafka.ErrorCode(code) == kafka.ErrNotController
}

// SetShown notes in the answer to an Envelope the end of what the controller's image showed then: who is told of a change may
// wait until it sees the change itself.
func SetShown(m *kmsg.EnvelopeResponse, end kafka.Offset) {
	setInt64Tag(&m.UnknownTags, tagShown, int64(end))
}

// Shown reads it; ok is false when there is no word.
func Shown(m *kmsg.EnvelopeResponse) (end kafka.Offset, ok bool) {
	v, ok := int64Tag(&m.UnknownTags, tagShown)
	return kafka.Offset(v), ok
}
