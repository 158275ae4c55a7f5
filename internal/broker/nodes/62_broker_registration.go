package nodes

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/remote/commands"
	"github.com/milena-io/milena/internal/wire"
)

// BrokerRegistration serves BrokerRegistration v0-4 (KIP-631; log directories by KIP-858, the last clean epoch by KIP-966). A broker
// of another cluster is refused, and one out of ZooKeeper's times. Where an older incarnation stands in the way, it is asked
// whether it lives, so that a broker whose process has ended need not wait for its session to run out (architecture D6).
func (n *Nodes) BrokerRegistration(req *wire.Request) {
	const op = "nodes.BrokerRegistration"
	in := req.Body.(*kmsg.BrokerRegistrationRequest)
	answer := func(reply any, err error) {
		req.Reply(wire.Reply{Message: commands.AnswerRegisterBroker(in, reply, err)})
	}
	if n.otherCluster(&in.ClusterID) {
		answer(nil, fault.New(op, kafka.ErrInconsistentClusterId, "Expected cluster ID %s, but got cluster ID %s", n.o.Node.ClusterID(), in.ClusterID))
		return
	}
	if in.IsMigratingZkBroker {
		answer(nil, fault.New(op, kafka.ErrBrokerIdNotRegistered, "Controller does not support registering ZK brokers."))
		return
	}
	cmd := commands.ReadRegisterBroker(in)
	other := n.o.Image().Controller(cmd.Broker)
	if other == nil || other.Incarnation == cmd.Incarnation {
		n.registerBroker(cmd, answer)
		return
	}
	n.o.Node.Meet(other, func(alive string) { // a node.id is one process's, whatever that is
		if alive != "" {
			answer(nil, GivenTwice(cmd.Broker, alive))
			return
		}
		n.registerBroker(cmd, answer)
	})
}

func (n *Nodes) registerBroker(cmd controller.RegisterBroker, answer func(reply any, err error)) {
	n.o.Controller.Submit(n.o.Timeout, cmd, func(reply any, err error) {
		old := n.o.Image().Broker(cmd.Broker)
		if fault.CodeOf(err) != kafka.ErrDuplicateBrokerRegistration || old == nil {
			answer(reply, err)
			return
		}
		n.o.Node.Suspect(old, func(dead bool, alive string) {
			if !dead {
				if alive != "" {
					err = GivenTwice(cmd.Broker, alive)
				}
				answer(nil, err)
				return
			}
			cmd.Dead = old.Epoch
			n.o.Controller.Submit(n.o.Timeout, cmd, answer)
		})
	})
}

// GivenTwice refuses a node whose id another process has that lives, by the word of who met it.
func GivenTwice(id kafka.NodeID, alive string) error {
	return fault.New("nodes.Register", kafka.ErrDuplicateBrokerRegistration, "node.id %d is given twice: another process has it and lives, %s. "+
		"Give one of the two another node.id and an empty directory, or stop it.", id, alive)
}
