package nodes

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/wire"
)

// UnregisterBroker serves UnregisterBroker v0 (KIP-631): the cluster forgets a broker, if it knew it.
func (n *Nodes) UnregisterBroker(req *wire.Request) {
	in := req.Body.(*kmsg.UnregisterBrokerRequest)
	n.submit(req, controller.UnregisterBroker{Broker: kafka.NodeID(in.BrokerID)}, func(_ any, err error) kmsg.Response {
		out := in.ResponseKind().(*kmsg.UnregisterBrokerResponse)
		out.ErrorCode, out.ErrorMessage = int16(fault.CodeOf(err)), fault.MessageOf(err)
		return out
	})
}
