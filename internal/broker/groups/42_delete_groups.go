package groups

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/machine/group"
	"github.com/milena-io/milena/internal/wire"
)

// DeleteGroups serves DeleteGroups v0-2 (KIP-229): groups without members go with all their offsets. A name given
// twice is answered once.
func (g *Groups) DeleteGroups(req *wire.Request) {
	in := req.Body.(*kmsg.DeleteGroupsRequest)
	out := in.ResponseKind().(*kmsg.DeleteGroupsResponse)
	var ids []string
	seen := map[string]bool{}
	for _, id := range in.Groups {
		if !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		req.Reply(wire.Reply{Message: out})
		return
	}
	out.Groups = make([]kmsg.DeleteGroupsResponseGroup, len(ids))
	var mu sync.Mutex
	left := len(ids)
	for i, id := range ids {
		g.coordinator.Submit(id, &group.DeleteGroup{Group: id}, func(reply any, err error) {
			og := kmsg.NewDeleteGroupsResponseGroup()
			og.Group, og.ErrorCode = id, code(err)
			if err == nil {
				og.ErrorCode = int16(reply.(group.DeleteGroupReply).Err)
			}
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
