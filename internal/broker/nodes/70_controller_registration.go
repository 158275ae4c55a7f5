package nodes

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/remote/commands"
	"github.com/milena-io/milena/internal/wire"
)

// ControllerRegistration serves ControllerRegistration v0 (KIP-919): a controller tells where it is reached and what it can run. A new
// incarnation takes the place of the old one, unless that is met where it listens: then a node.id is given twice.
func (n *Nodes) ControllerRegistration(req *wire.Request) {
	in := req.Body.(*kmsg.ControllerRegistrationRequest)
	cmd := commands.ReadRegisterController(in)
	answer := func(reply any, err error) kmsg.Response { return commands.AnswerRegisterController(in, reply, err) }
	decide := func(alive string) {
		if alive != "" {
			req.Reply(wire.Reply{Message: answer(nil, GivenTwice(cmd.Controller, alive))})
			return
		}
		n.submit(req, cmd, answer)
	}
	old, broker := n.o.Image().Controller(cmd.Controller), n.o.Image().Broker(cmd.Controller)
	switch {
	case old != nil && old.Incarnation != cmd.Incarnation:
		n.o.Node.Meet(old, decide)
	case old == nil && broker != nil && broker.Incarnation != cmd.Incarnation:
		n.o.Node.Suspect(broker, func(_ bool, alive string) { decide(alive) })
	default:
		decide("")
	}
}
