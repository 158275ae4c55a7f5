package cluster

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
	"github.com/milena-io/milena/internal/wire"
)

// The endpoint types of KIP-919.
const (
	brokers     = 1
	controllers = 2
)

// DescribeCluster serves DescribeCluster v0-2 (KIP-700, KIP-919, KIP-1073): the brokers on the asking listener, fenced
// ones only when asked for. A broker answers about brokers; controllers are asked on their own listener, and answer about
// controllers.
func (c *Cluster) DescribeCluster(req *wire.Request) {
	in := req.Body.(*kmsg.DescribeClusterRequest)
	out := in.ResponseKind().(*kmsg.DescribeClusterResponse)
	out.ClusterAuthorizedOperations = -1 << 31
	out.ControllerID, out.EndpointType = int32(kafka.NoNode), brokers
	if c.node.OfControllers(req.Peer.Listener) {
		out.EndpointType = controllers
	}
	wanted := int8(brokers)
	if in.Version >= 1 {
		wanted = in.EndpointType
	}
	if wanted != out.EndpointType {
		names := map[int8]string{brokers: "BROKER", controllers: "CONTROLLER"}
		code, why := kafka.ErrUnsupportedEndpointType, fmt.Sprintf("Unsupported endpoint type %d", wanted)
		if names[wanted] != "" {
			code, why = kafka.ErrMismatchedEndpointType, fmt.Sprintf("The request was sent to an endpoint of type %s, but we wanted an endpoint of type %s", names[out.EndpointType], names[wanted])
		}
		out.ErrorCode, out.ErrorMessage = int16(code), &why
		req.Reply(wire.Reply{Message: out})
		return
	}
	out.ClusterID = c.node.ClusterID()
	if in.IncludeClusterAuthorizedOperations {
		out.ClusterAuthorizedOperations = allClusterOperations
	}
	if out.EndpointType == controllers {
		c.controllers(req.Peer.Listener, out)
	} else {
		c.brokers(req.Peer.Listener, in.Version >= 2 && in.IncludeFencedBrokers, out)
	}
	req.Reply(wire.Reply{Message: out})
}

// brokers fills in those that clients of a listener reach.
func (c *Cluster) brokers(listener string, fenced bool, out *kmsg.DescribeClusterResponse) {
	var live []int32
	for b := range c.image().Brokers() {
		e, ok := b.Endpoint(listener)
		if !ok || b.Fenced && !fenced {
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
}

// controllers fills in the registered controllers that have a listener of the same name, and who is active (KIP-919). Voters that are
// not registered, or not yet, are where the log of the quorum says. While nobody is known to lead this node is named: it waits with
// what it is asked until somebody leads, and says NOT_CONTROLLER when that is another, whereupon who asked looks again. Java's admin client takes the -1 of Apache Kafka's controllers for an answer that holds for
// metadata.max.age.ms, and asks nobody.
func (c *Cluster) controllers(listener string, out *kmsg.DescribeClusterResponse) {
	q, img := c.node.Quorum(), c.image()
	out.ControllerID = int32(q.Leader)
	if q.Leader == kafka.NoNode {
		out.ControllerID = int32(q.Self)
	}
	add := func(id kafka.NodeID, all []staterecord.Endpoint) {
		for _, e := range all {
			if e.Name == listener {
				rb := kmsg.NewDescribeClusterResponseBroker()
				rb.NodeID, rb.Host, rb.Port = int32(id), e.Host, int32(e.Port)
				out.Brokers = append(out.Brokers, rb)
				return
			}
		}
	}
	for r := range img.Controllers() {
		add(r.ID, r.Endpoints)
	}
	for _, v := range q.Voters {
		if img.Controller(v.ID) == nil {
			add(v.ID, v.Endpoints)
		}
	}
	slices.SortFunc(out.Brokers, func(a, b kmsg.DescribeClusterResponseBroker) int { return cmp.Compare(a.NodeID, b.NodeID) })
}
