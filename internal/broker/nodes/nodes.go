// Package nodes serves what nodes of a cluster ask of its controller: a broker's registration, heartbeats and wishes, clients'
// requests in Envelopes, the metadata log for those that have no vote, and changes of the voters.
//
// listen calls its handlers through the table of the controller's listeners, where alone node offers them. Each hands a command to
// this node's own controller, or a question to its quorum, and answers with what comes of it: NOT_CONTROLLER (of the
// quorum's own APIs NOT_LEADER_OR_FOLLOWER) where this node does not lead. It holds no state.
package nodes

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// Controller takes commands, if this node's is the active one. done is called once: with the reply when the change is
// committed and this node's image shows it, or with NOT_CONTROLLER, REQUEST_TIMED_OUT or KAFKA_STORAGE_ERROR.
type Controller interface {
	Submit(timeout time.Duration, cmd controller.Command, done func(reply any, err error))
}

// Quorum is this node's part of the metadata quorum. Every done is called once. Voter changes fail with
// NOT_LEADER_OR_FOLLOWER on a node that doesn't lead.
type Quorum interface {
	Leader() (kafka.NodeID, kafka.LeaderEpoch)
	Voters() []record.Voter
	Fetch(p Pull, done func(Pulled, error))
	FetchSnapshot(p PullChunk, done func(Chunk, error))
	AddVoter(v record.Voter, timeout time.Duration, whenCommitted bool, done func(error))
	RemoveVoter(id kafka.NodeID, dir kafka.DirectoryID, timeout time.Duration, done func(error))
	UpdateVoter(v record.Voter, timeout time.Duration, done func(error))
}

// Node tells about this node.
type Node interface {
	ClusterID() string
	// Table returns what a listener offers.
	Table(listener string) *wire.Table
	// Shown is the end below which everything is visible on this node.
	Shown() kafka.Offset
	// Suspect asks whether the process of a broker's registered incarnation has ended, which its successor gives reason to
	// think. dead is true only if that is proven; alive says where it was met, and is empty where it wasn't.
	Suspect(b *image.Broker, done func(dead bool, alive string))
	// Meet asks whether the process of a controller's registered incarnation lives; alive says where it was met. Only the active
	// controller asks.
	Meet(c *image.Controller, done func(alive string))
}

// Options are what the area is made of.
type Options struct {
	World      world.World
	Image      func() *image.Image // what is committed
	Controller Controller
	Quorum     Quorum
	Node       Node
	Budget     *wire.Budget  // what requests in Envelopes are charged to
	Timeout    time.Duration // how long a command of a broker may take
	// Listener is the first of controller.listener.names: leaders are named by their endpoint there.
	Listener string
}

// Nodes is the area.
type Nodes struct{ o Options }

// New connects the area.
func New(o Options) *Nodes { return &Nodes{o} }

// submit has a command decided and answers with what comes of it.
func (n *Nodes) submit(req *wire.Request, cmd controller.Command, answer func(reply any, err error) kmsg.Response) {
	n.o.Controller.Submit(n.o.Timeout, cmd, func(reply any, err error) { req.Reply(wire.Reply{Message: answer(reply, err)}) })
}

// otherCluster reports whether a request names a cluster that isn't this one. Who names none is let in, and so is everybody while the
// voters have not agreed on an id: who asks is ahead of this node then, and hears that it leads nothing.
func (n *Nodes) otherCluster(id *string) bool {
	here := n.o.Node.ClusterID()
	return id != nil && here != "" && *id != here
}

// text is the message of an answer with a code, where Kafka repeats the code's name when there is nothing to say.
func text(err error) *string {
	if m := fault.MessageOf(err); m != nil {
		return m
	}
	name := fault.CodeOf(err).String()
	return &name
}
