package nodes

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/remote/commands"
	"github.com/milena-io/milena/internal/wire"
)

// ControllerRegistration serves ControllerRegistration v0 (KIP-919): a controller tells where it is reached and what it can run.
func (n *Nodes) ControllerRegistration(req *wire.Request) {
	in := req.Body.(*kmsg.ControllerRegistrationRequest)
	n.submit(req, commands.ReadRegisterController(in), func(reply any, err error) kmsg.Response {
		return commands.AnswerRegisterController(in, reply, err)
	})
}
