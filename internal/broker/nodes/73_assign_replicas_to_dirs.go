package nodes

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/remote/commands"
	"github.com/milena-io/milena/internal/wire"
)

// AssignReplicasToDirs serves AssignReplicasToDirs v0 (KIP-858): a broker tells which log directory it keeps each replica in.
func (n *Nodes) AssignReplicasToDirs(req *wire.Request) {
	in := req.Body.(*kmsg.AssignReplicasToDirsRequest)
	n.submit(req, commands.ReadAssignReplicas(in), func(reply any, err error) kmsg.Response {
		return commands.AnswerAssignReplicas(in, reply, err)
	})
}
