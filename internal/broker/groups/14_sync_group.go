package groups

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group/classic"
	"github.com/milena-io/milena/internal/wire"
)

// SyncGroup serves SyncGroup v0-5: static members from v3 (KIP-345), protocol type and name checked and answered from
// v5 (KIP-559), where both are mandatory. A follower's answer comes when the leader's assignment is replicated.
func (g *Groups) SyncGroup(req *wire.Request) {
	in := req.Body.(*kmsg.SyncGroupRequest)
	out := in.ResponseKind().(*kmsg.SyncGroupResponse)
	out.MemberAssignment = []byte{}
	if in.Version >= 5 && (in.ProtocolType == nil || in.Protocol == nil) {
		out.ErrorCode = int16(kafka.ErrInconsistentGroupProtocol)
		req.Reply(wire.Reply{Message: out})
		return
	}
	cmd := &classic.Sync{
		Group: in.Group, MemberID: in.MemberID, InstanceID: in.InstanceID, Generation: in.Generation,
		ProtocolType: in.ProtocolType, Protocol: in.Protocol,
	}
	for _, a := range in.GroupAssignment {
		cmd.Assignments = append(cmd.Assignments, classic.MemberAssignment{MemberID: a.MemberID, Bytes: clone(a.MemberAssignment)})
	}
	g.coordinator.Submit(in.Group, cmd, func(reply any, err error) {
		r := classic.SyncReply{Err: fault.CodeOf(err)}
		if err == nil {
			r = reply.(classic.SyncReply)
		}
		out.ErrorCode = int16(r.Err)
		out.ProtocolType, out.Protocol = nullable(r.ProtocolType), nullable(r.Protocol)
		if r.Assignment != nil {
			out.MemberAssignment = r.Assignment
		}
		req.Reply(wire.Reply{Message: out})
	})
}
