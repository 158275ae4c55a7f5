package groups

import (
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group"
	"github.com/milena-io/milena/internal/machine/group/classic"
	"github.com/milena-io/milena/internal/wire"
)

// groupOperations are the ACL operations on a group, as bits: READ 3, DELETE 6, DESCRIBE 8, DESCRIBE_CONFIGS 10,
// ALTER_CONFIGS 11. Everybody has them all while there is no authorizer.
const groupOperations = 1<<3 | 1<<6 | 1<<8 | 1<<10 | 1<<11

// DescribeGroups serves DescribeGroups v0-6: authorized operations from v3 (KIP-430), instance ids from v4 (KIP-345),
// GROUP_ID_NOT_FOUND with a message from v6 (KIP-1043). Before v6 a group that does not exist is Dead and no error.
func (g *Groups) DescribeGroups(req *wire.Request) {
	in := req.Body.(*kmsg.DescribeGroupsRequest)
	out := in.ResponseKind().(*kmsg.DescribeGroupsResponse)
	ids := distinct(in.Groups, func(id string) (string, bool) { return id, true })
	out.Groups = make([]kmsg.DescribeGroupsResponseGroup, len(ids))
	if len(ids) == 0 {
		req.Reply(wire.Reply{Message: out})
		return
	}
	var mu sync.Mutex
	left := len(ids)
	for i, id := range ids {
		g.coordinator.Submit(id, &group.Describe{Group: id}, func(reply any, err error) {
			og := described(in, id, reply, err)
			mu.Lock()
			out.Groups[i] = og
			left--
			last := left == 0
			mu.Unlock()
			if last {
				req.Reply(wire.Reply{Message: out})
			}
		})
	}
}

func described(in *kmsg.DescribeGroupsRequest, id string, reply any, err error) kmsg.DescribeGroupsResponseGroup {
	og := kmsg.NewDescribeGroupsResponseGroup()
	og.Group = id
	if err != nil {
		og.ErrorCode = code(err)
		return og
	}
	d := reply.(group.Description)
	og.State, og.ProtocolType, og.Protocol = d.State.String(), d.ProtocolType, d.Protocol
	if d.State == classic.Dead && in.Version >= 6 {
		og.ErrorCode = int16(kafka.ErrGroupIdNotFound)
		og.ErrorMessage = kmsg.StringPtr(fmt.Sprintf("Group %s not found.", id))
		return og
	}
	if in.IncludeAuthorizedOperations {
		og.AuthorizedOperations = groupOperations
	}
	for _, m := range d.Members {
		om := kmsg.NewDescribeGroupsResponseGroupMember()
		om.MemberID, om.InstanceID, om.ClientID, om.ClientHost = m.ID, m.InstanceID, m.Client.ID, m.Client.Host
		om.ProtocolMetadata, om.MemberAssignment = m.Metadata, m.Assignment
		og.Members = append(og.Members, om)
	}
	return og
}
