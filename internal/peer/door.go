package peer

import (
	"fmt"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/wire"
)

// Door answers NodeMessages: it says who lives here, and lets messages in that are meant for whoever does. self is asked for
// each request, since a node learns its cluster's id only when it has found or formed one. take gets the sender and the
// messages, which alias the request's frame and are good until it returns; it must not block, nor wait for the disk, as the
// connection's next request is behind it; what it refuses the sender is told. greet answers greetings; with nil there are none to answer.
func Door(self func() wire.Identity, take func(from wire.Member, r *wire.NodeRequest) error, greet func(greeting []byte) (answer []byte, err error)) wire.Handler {
	return func(req *wire.Request) {
		a := wire.NodeAnswer{Identity: self()}
		a.ErrorCode, a.Message = judge(&a.Identity, &req.Node)
		if a.ErrorCode == kafka.ErrNone && len(req.Node.Greeting) > 0 && greet != nil {
			answer, err := greet(req.Node.Greeting)
			if err != nil {
				a.ErrorCode, a.Message = fault.CodeOf(err), err.Error()
			}
			a.Greeting = string(answer)
		}
		if a.ErrorCode == kafka.ErrNone && req.Node.Messages > 0 {
			if err := take(req.Node.From, &req.Node); err != nil {
				a.ErrorCode, a.Message = fault.CodeOf(err), err.Error()
			}
		}
		req.Reply(wire.Reply{Body: &a})
	}
}

// judge refuses what is meant for somebody else. Whoever doesn't know its cluster's id yet may talk to anybody.
func judge(self *wire.Identity, r *wire.NodeRequest) (kafka.ErrorCode, string) {
	if len(r.ClusterID) > 0 && self.ClusterID != "" && string(r.ClusterID) != self.ClusterID {
		return kafka.ErrInconsistentClusterId,
			fmt.Sprintf("the sender belongs to cluster %.64q, and node %d to cluster %s", r.ClusterID, self.Node, self.ClusterID)
	}
	if r.To.Node != kafka.NoNode && r.To.Node != self.Node ||
		!r.To.Directory.IsZero() && r.To.Directory != self.Directory {
		return kafka.ErrInvalidVoterKey,
			fmt.Sprintf("this is for node %d with directory %v, and here is node %d with directory %v", r.To.Node, r.To.Directory, self.Node, self.Directory)
	}
	if r.From.Node == self.Node && !r.From.Directory.IsZero() && r.From.Directory != self.Directory {
		return kafka.ErrDuplicateBrokerRegistration,
			fmt.Sprintf("the sender calls itself node %d with directory %v, and that is the id of this node, with directory %v", r.From.Node, r.From.Directory, self.Directory)
	}
	return kafka.ErrNone, ""
}
