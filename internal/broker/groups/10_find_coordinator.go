package groups

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	rec "github.com/milena-io/milena/internal/staterecord/group"
	"github.com/milena-io/milena/internal/wire"
)

// The key types of FindCoordinator.
const (
	groupKey       = 0
	transactionKey = 1
)

// FindCoordinator serves FindCoordinator v0-6: groups; several keys from v4 (KIP-699). The first lookup of a group
// creates __consumer_offsets and is answered when the topic is there. There is no transaction coordinator yet, and
// saying COORDINATOR_NOT_AVAILABLE would let producers wait for one until they time out: a transactional id gets
// UNSUPPORTED_VERSION, as InitProducerId gives it, which is final. Share keys (v6, KIP-932) get INVALID_REQUEST, as
// from a Kafka without a share coordinator.
func (g *Groups) FindCoordinator(req *wire.Request) {
	in := req.Body.(*kmsg.FindCoordinatorRequest)
	if in.CoordinatorType != groupKey {
		g.found(req, in, nil)
		return
	}
	if _, _, ok := g.metadata.Topic(kafka.OffsetsTopic); ok {
		g.found(req, in, nil)
		return
	}
	g.creator.CreateOffsetsTopic(func(err error) { g.found(req, in, err) })
}

// found answers once the topic is there, or could not be created.
func (g *Groups) found(req *wire.Request, in *kmsg.FindCoordinatorRequest, err error) {
	out := in.ResponseKind().(*kmsg.FindCoordinatorResponse)
	if in.Version >= 4 {
		for _, key := range in.CoordinatorKeys {
			c := kmsg.NewFindCoordinatorResponseCoordinator()
			node, e, message := g.find(req.Peer.Listener, in.CoordinatorType, key, err)
			c.Key, c.NodeID, c.Host, c.Port = key, int32(node.ID), node.Host, node.Port
			c.ErrorCode, c.ErrorMessage = int16(e), &message
			out.Coordinators = append(out.Coordinators, c)
		}
		req.Reply(wire.Reply{Message: out})
		return
	}
	node, e, message := g.find(req.Peer.Listener, in.CoordinatorType, in.CoordinatorKey, err)
	if e == kafka.ErrNone {
		message = e.String() // Kafka says NONE here
	}
	out.NodeID, out.Host, out.Port = int32(node.ID), node.Host, node.Port
	out.ErrorCode, out.ErrorMessage = int16(e), &message
	req.Reply(wire.Reply{Message: out})
}

func (g *Groups) find(listener string, keyType int8, key string, created error) (Node, kafka.ErrorCode, string) {
	nobody := Node{ID: kafka.NoNode, Port: -1}
	switch {
	case keyType == transactionKey:
		return nobody, kafka.ErrUnsupportedVersion, "This broker does not coordinate transactions."
	case keyType != groupKey:
		return nobody, kafka.ErrInvalidRequest, "This broker coordinates groups only."
	case created != nil:
		return nobody, kafka.ErrCoordinatorNotAvailable, created.Error()
	}
	_, partitions, ok := g.metadata.Topic(kafka.OffsetsTopic)
	if !ok || partitions == 0 {
		return nobody, kafka.ErrCoordinatorNotAvailable, "The coordinator is not available."
	}
	node, ok := g.metadata.Leader(listener, kafka.OffsetsTopic, rec.Partition(key, partitions))
	if !ok {
		return nobody, kafka.ErrCoordinatorNotAvailable, "The coordinator is not available."
	}
	return node, kafka.ErrNone, ""
}
