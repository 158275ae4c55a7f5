package nodes

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/remote/commands"
	"github.com/milena-io/milena/internal/wire"
)

// BrokerHeartbeat serves BrokerHeartbeat v0-1 (KIP-631): a broker lives, asks to be unfenced, or wants to stop; from v1 on it
// tells of directories that went offline (KIP-858) or take no new replicas (KIP-1066).
func (n *Nodes) BrokerHeartbeat(req *wire.Request) {
	in := req.Body.(*kmsg.BrokerHeartbeatRequest)
	n.submit(req, commands.ReadHeartbeat(in), func(reply any, err error) kmsg.Response {
		return commands.AnswerHeartbeat(in, reply, err)
	})
}
