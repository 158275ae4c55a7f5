package node

import (
	"sync"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/feed"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/quorum"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// ControlPlane is what a node has of the controllers of its cluster: its own quorum where it is a controller, a way to others where
// it is only a broker.
type ControlPlane interface {
	// The committed metadata log.
	feed.Source
	// Submit has a command decided by the active controller. done is called once: with the reply, or with REQUEST_TIMED_OUT when
	// it takes longer than the timeout, in which case the change may still happen.
	Submit(timeout time.Duration, cmd controller.Command, done func(reply any, err error))
	// Forward passes a client's request on to the active controller and sees to its answer (KIP-590); false where this node
	// answers itself.
	Forward(r *wire.Request) bool
	// Describe tells how the metadata quorum stands, as far as this node knows.
	Describe() quorum.Description
	// KRaftVersion is the kraft.version of the metadata log.
	KRaftVersion() int16
	// Active reports whether the active controller is on this node.
	Active() bool
}

// local is the control plane of a controller: its own quorum.
type local struct {
	*quorum.Quorum
	n *Node
}

// Submit has a command decided. On a disk that is all but full what would grow is refused at once.
func (c *local) Submit(timeout time.Duration, cmd controller.Command, done func(reply any, err error)) {
	if err := c.n.storage.Space.Admit(cmd); err != nil {
		done(nil, err)
		return
	}
	var once sync.Once
	var expiry *world.Deadline
	finish := func(reply any, err error) { once.Do(func() { done(reply, err) }) }
	expiry = c.n.deadlines.Add(timeout, func() {
		finish(nil, fault.New("controller", kafka.ErrRequestTimedOut, "The controller did not answer within %s.", timeout))
	})
	c.Quorum.Submit(cmd, func(reply any, err error) {
		c.n.deadlines.Cancel(expiry)
		finish(reply, err)
	})
}

// Forward leaves everything to the handlers of this node, whose quorum it is.
func (c *local) Forward(*wire.Request) bool { return false }

// start elects this node, the only voter.
func (c *local) start() {
	c.Quorum.Start()
	c.n.run()
}

func (c *local) close() { c.Quorum.Close() }
