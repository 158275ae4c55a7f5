package groups

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group/classic"
	"github.com/milena-io/milena/internal/wire"
)

// LeaveGroup serves LeaveGroup v0-5: one member before v3, several from v3, also by instance id alone (KIP-345), with
// reasons from v5 (KIP-800). Before v3 a member's error stands at the top.
func (g *Groups) LeaveGroup(req *wire.Request) {
	in := req.Body.(*kmsg.LeaveGroupRequest)
	out := in.ResponseKind().(*kmsg.LeaveGroupResponse)
	cmd := &classic.Leave{Group: in.Group}
	if in.Version < 3 {
		cmd.Members = []classic.Leaving{{MemberID: in.MemberID}}
	}
	for _, m := range in.Members {
		cmd.Members = append(cmd.Members, classic.Leaving{MemberID: m.MemberID, InstanceID: m.InstanceID, Reason: text(m.Reason)})
	}
	g.coordinator.Submit(in.Group, cmd, func(reply any, err error) {
		r := classic.LeaveReply{Err: fault.CodeOf(err)}
		if err == nil {
			r = reply.(classic.LeaveReply)
		}
		out.ErrorCode = int16(r.Err)
		if in.Version < 3 {
			if r.Err == kafka.ErrNone && len(r.Members) == 1 {
				out.ErrorCode = int16(r.Members[0].Err)
			}
			r.Members = nil
		}
		for _, m := range r.Members {
			om := kmsg.NewLeaveGroupResponseMember()
			om.MemberID, om.InstanceID, om.ErrorCode = m.MemberID, m.InstanceID, int16(m.Err)
			out.Members = append(out.Members, om)
		}
		req.Reply(wire.Reply{Message: out})
	})
}
