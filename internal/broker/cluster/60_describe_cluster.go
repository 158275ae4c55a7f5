package cluster

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/wire"
)

// DescribeCluster serves DescribeCluster v0-2 (KIP-700, KIP-919, KIP-1073): the brokers on the asking listener, fenced
// ones only when asked for. A broker answers about brokers; controllers are asked on their own listener.
func (c *Cluster) DescribeCluster(req *wire.Request) {
	in := req.Body.(*kmsg.DescribeClusterRequest)
	out := in.ResponseKind().(*kmsg.DescribeClusterResponse)
	out.ClusterAuthorizedOperations = -1 << 31
	out.ControllerID, out.EndpointType = int32(kafka.NoNode), 1
	if in.Version >= 1 && in.EndpointType != 1 {
		code, why := kafka.ErrUnsupportedEndpointType, fmt.Sprintf("Unsupported endpoint type %d", in.EndpointType)
		if in.EndpointType == 2 {
			code, why = kafka.ErrMismatchedEndpointType, "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER"
		}
		out.ErrorCode, out.ErrorMessage = int16(code), &why
		req.Reply(wire.Reply{Message: out})
		return
	}
	out.ClusterID = c.node.ClusterID()
	if in.IncludeClusterAuthorizedOperations {
		out.ClusterAuthorizedOperations = allClusterOperations
	}
	var live []int32
	for b := range c.image().Brokers() {
		e, ok := b.Endpoint(req.Peer.Listener)
		if !ok || b.Fenced && !(in.Version >= 2 && in.IncludeFencedBrokers) {
			continue
		}
		rb := kmsg.NewDescribeClusterResponseBroker()
		rb.NodeID, rb.Host, rb.Port, rb.Rack, rb.IsFenced = int32(b.ID), e.Host, int32(e.Port), b.Rack, b.Fenced
		out.Brokers = append(out.Brokers, rb)
		if !b.Fenced {
			live = append(live, rb.NodeID)
		}
	}
	if n := uint64(len(live)); n > 0 {
		out.ControllerID = live[c.world.Uint64()%n] // any broker passes on what is the controller's
	}
	req.Reply(wire.Reply{Message: out})
}
