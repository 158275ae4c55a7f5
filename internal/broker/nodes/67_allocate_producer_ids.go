package nodes

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/remote/commands"
	"github.com/milena-io/milena/internal/wire"
)

// AllocateProducerIds serves AllocateProducerIds v0 (KIP-730): a broker takes a block of producer ids, which nobody else is given.
func (n *Nodes) AllocateProducerIds(req *wire.Request) {
	in := req.Body.(*kmsg.AllocateProducerIDsRequest)
	n.submit(req, commands.ReadAllocateProducerIDs(in), func(reply any, err error) kmsg.Response {
		return commands.AnswerAllocateProducerIDs(in, reply, err)
	})
}
