package node

import (
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/storage"
)

const (
	// drainTime is how long connections may take to finish what was under way when the node stops.
	drainTime = 5 * time.Second
	// hastyDrainTime is the same where no controller let it go: what waits for other replicas may wait for ever.
	hastyDrainTime = 500 * time.Millisecond
)

// Stop ends the node cleanly: what it leads is led by others first, then nobody new is let in, what is in flight is answered, every
// log is closed, and a marker says so to the next start. done is called once, with why the end was not clean if it was not.
func (n *Node) Stop(done func(error)) {
	failed, again := n.life.leave()
	switch {
	case again:
		done(failed)
	case failed != nil:
		n.upkeep.Stop()
		n.giveBack(func() { done(failed) })
	default:
		n.session.leaving.begin(func(left bool) { n.o.World.Go(func() { n.close(left, done) }) })
	}
}

// close ends a node that leads nothing any more, as far as that could be had.
func (n *Node) close(left bool, done func(error)) {
	failed := n.life.stop()
	n.upkeep.Stop()
	if failed != nil { // meanwhile
		n.giveBack(func() { done(failed) })
		return
	}
	n.session.quit()
	n.closeWaiting()
	drain := drainTime
	if !left {
		drain = hastyDrainTime
	}
	n.edge.clients.close(drain)
	n.replicas.others.close()
	n.storage.Close(func(c *storage.Closing) {
		n.handOver(func() { n.finish(c, drain, done) })
	})
}

// handOver has another voter lead the quorum, where this node does and there is another.
func (n *Node) handOver(done func()) {
	s := n.control
	if !s.Active() || s.sole() {
		done()
		return
	}
	s.own().TransferTo(kafka.NoNode, func(err error) {
		if err != nil {
			n.log("kafka.raft").Warn("The metadata quorum's leader goes without a successor; the others elect one when they notice.", "reason", err)
		}
		n.o.World.Go(done)
	})
}

// Kill ends the node as the end of its process would: connections are cut, nobody is told, and nothing is closed cleanly. done is
// called once the ports and the directory are free for another. It is for those who run several nodes in one process.
func (n *Node) Kill(done func()) {
	_, again := n.life.leave()
	n.life.stop()
	if again {
		done()
		return
	}
	n.upkeep.Stop()
	n.giveBack(done)
}

// giveBack ends a node that cannot go on: nothing of it can be closed cleanly, and the ports and the directory are free for
// another. It acts on nothing any more that others decide because it is gone.
func (n *Node) giveBack(done func()) {
	n.closeWaiting()
	n.o.World.Go(func() {
		n.feed.Stop()
		n.edge.clients.close(0)
		n.session.quit()
		n.replicas.others.close()
		n.control.close()
		n.edge.controllers.close(0)
		n.storage.Abandon()
		done()
	})
}

// finish ends the quorum and seals the directories.
func (n *Node) finish(c *storage.Closing, drain time.Duration, done func(error)) {
	n.feed.StopAnd(func() { // what acts on the metadata changes directories
		n.control.close()
		n.edge.controllers.close(drain)
		n.replicas.news.flush()
		c.Seal(n.session.brokerEpoch(), n.metadata.Load(), done)
	})
}

// closeWaiting answers clients whose requests wait for something.
func (n *Node) closeWaiting() {
	if n.settings.node.Roles.Broker {
		n.areas.fetch.Close()
		n.groups.Close()
	}
}
