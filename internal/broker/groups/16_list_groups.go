package groups

import (
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/machine/group"
	"github.com/milena-io/milena/internal/wire"
)

// classicType is the type of every group there is so far, as ListGroups v5 spells it.
const classicType = "classic"

// ListGroups serves ListGroups v0-5: a filter of states from v4 (KIP-518), of types from v5 (KIP-848), both without
// regard to case; an unknown state or type matches nothing. The groups are those this node coordinates; clients ask
// every broker. One partition that is loading fails the list, so that nobody takes a part for the whole.
func (g *Groups) ListGroups(req *wire.Request) {
	in := req.Body.(*kmsg.ListGroupsRequest)
	out := in.ResponseKind().(*kmsg.ListGroupsResponse)
	isClassic := func(t string) bool { return strings.EqualFold(t, classicType) }
	if len(in.TypesFilter) > 0 && !slices.ContainsFunc(in.TypesFilter, isClassic) {
		req.Reply(wire.Reply{Message: out})
		return
	}
	cmd := &group.List{}
	for _, s := range in.StatesFilter {
		cmd.States = append(cmd.States, strings.ToLower(strings.TrimSpace(s)))
	}
	g.coordinator.SubmitAll(cmd, func(replies []any, err error) {
		if err != nil {
			out.ErrorCode = code(err)
			req.Reply(wire.Reply{Message: out})
			return
		}
		for _, r := range replies {
			for _, listed := range r.(group.ListReply).Groups {
				og := kmsg.NewListGroupsResponseGroup()
				og.Group, og.ProtocolType, og.GroupState, og.GroupType = listed.Group, listed.ProtocolType, listed.State.String(), classicType
				out.Groups = append(out.Groups, og)
			}
		}
		req.Reply(wire.Reply{Message: out})
	})
}
