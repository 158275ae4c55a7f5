package node

import (
	"sync"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/world"
)

// control takes commands to the active controller, which is this node's own quorum.
type control struct{ n *Node }

// Submit has a command decided. done is called once: with the reply, or with REQUEST_TIMED_OUT when it takes longer than
// the timeout, in which case the change may still happen. On a disk that is all but full what would grow is refused at once.
func (c *control) Submit(timeout time.Duration, cmd controller.Command, done func(reply any, err error)) {
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
	c.n.quorum.Submit(cmd, func(reply any, err error) {
		c.n.deadlines.Cancel(expiry)
		finish(reply, err)
	})
}
