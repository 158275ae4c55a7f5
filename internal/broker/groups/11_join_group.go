package groups

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/machine/group/classic"
	"github.com/milena-io/milena/internal/wire"
)

// JoinGroup serves JoinGroup v0-9: a rebalance timeout from v1 (before, the session timeout is it), MEMBER_ID_REQUIRED
// from v4 (KIP-394), static members from v5 (KIP-345), the protocol type in the answer and a nullable protocol from v7
// (KIP-559), the client's reason from v8 (KIP-800), SkipAssignment from v9 (KIP-814). The answer comes when the join
// phase ends.
func (g *Groups) JoinGroup(req *wire.Request) {
	in := req.Body.(*kmsg.JoinGroupRequest)
	out := in.ResponseKind().(*kmsg.JoinGroupResponse)
	cmd := &classic.Join{
		Group: in.Group, MemberID: in.MemberID, InstanceID: in.InstanceID, Client: client(req),
		SessionTimeoutMs: in.SessionTimeoutMillis, RebalanceTimeoutMs: in.RebalanceTimeoutMillis,
		ProtocolType: in.ProtocolType, Reason: text(in.Reason),
		RequireMemberID: in.Version >= 4, SkipAssignment: in.Version >= 9,
	}
	cmd.Client.ID = strings.Clone(cmd.Client.ID)
	if in.Version < 1 {
		cmd.RebalanceTimeoutMs = in.SessionTimeoutMillis
	}
	if in.MemberID == "" {
		cmd.NewMemberID = g.newMemberID(req.ClientID, in.InstanceID)
	}
	for _, p := range in.Protocols {
		cmd.Protocols = append(cmd.Protocols, classic.Protocol{Name: p.Name, Metadata: clone(p.Metadata)})
	}
	g.coordinator.Submit(in.Group, cmd, func(reply any, err error) {
		r := classic.JoinReply{Err: fault.CodeOf(err), Generation: -1, MemberID: in.MemberID}
		if err == nil {
			r = reply.(classic.JoinReply)
		}
		out.ErrorCode, out.Generation, out.LeaderID, out.MemberID = int16(r.Err), r.Generation, r.Leader, r.MemberID
		out.ProtocolType, out.Protocol, out.SkipAssignment = nullable(r.ProtocolType), nullable(r.Protocol), r.SkipAssignment
		if in.Version < 7 && out.Protocol == nil {
			out.Protocol = kmsg.StringPtr("")
		}
		for _, m := range r.Members {
			om := kmsg.NewJoinGroupResponseMember()
			om.MemberID, om.InstanceID, om.ProtocolMetadata = m.ID, m.InstanceID, m.Metadata
			out.Members = append(out.Members, om)
		}
		req.Reply(wire.Reply{Message: out})
	})
}
