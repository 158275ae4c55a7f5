package nodes

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/remote/commands"
	"github.com/milena-io/milena/internal/wire"
)

// AlterPartition serves AlterPartition v2-3 (KIP-497): leaders wish for other ISRs, from v3 on naming the incarnation of each
// member (KIP-903). Each partition succeeds or fails by itself.
func (n *Nodes) AlterPartition(req *wire.Request) {
	in := req.Body.(*kmsg.AlterPartitionRequest)
	n.submit(req, commands.ReadAlterPartition(in), func(reply any, err error) kmsg.Response {
		return commands.AnswerAlterPartition(in, reply, err)
	})
}
