package groups

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group/classic"
	"github.com/milena-io/milena/internal/wire"
)

// Heartbeat serves Heartbeat v0-4: static members from v3 (KIP-345). While the coordinator loads a heartbeat is simply
// fine: nobody expires meanwhile, and an error would make the member rejoin.
func (g *Groups) Heartbeat(req *wire.Request) {
	in := req.Body.(*kmsg.HeartbeatRequest)
	out := in.ResponseKind().(*kmsg.HeartbeatResponse)
	cmd := &classic.Heartbeat{Group: in.Group, MemberID: in.MemberID, InstanceID: in.InstanceID, Generation: in.Generation}
	g.coordinator.Submit(in.Group, cmd, func(reply any, err error) {
		switch c := fault.CodeOf(err); c {
		case kafka.ErrNone:
			out.ErrorCode = int16(reply.(classic.HeartbeatReply).Err)
		case kafka.ErrCoordinatorLoadInProgress:
		default:
			out.ErrorCode = int16(c)
		}
		req.Reply(wire.Reply{Message: out})
	})
}
