package node

import (
	"time"

	"github.com/milena-io/milena/internal/storage"
)

// drainTime is how long connections may take to finish what was under way when the node stops.
const drainTime = 5 * time.Second

// Stop ends the node cleanly: nobody new is let in, what is in flight is answered, every log is closed, and a marker
// says so to the next start. done is called once, with why the end was not clean if it was not.
func (n *Node) Stop(done func(error)) {
	failed, again := n.life.stop()
	n.upkeep.Stop()
	switch {
	case again:
		done(failed)
		return
	case failed != nil:
		n.giveBack(func() { done(failed) })
		return
	}
	n.closeWaiting()
	n.o.World.Go(func() {
		n.edge.clients.close(drainTime)
		n.session.end(func() {
			n.replicas.others.close()
			n.storage.Close(func(c *storage.Closing) { n.finish(c, done) })
		})
	})
}

// Kill ends the node as the end of its process would: connections are cut, nobody is told, and nothing is closed cleanly. done is
// called once the ports and the directory are free for another. It is for those who run several nodes in one process.
func (n *Node) Kill(done func()) {
	if _, again := n.life.stop(); again {
		done()
		return
	}
	n.upkeep.Stop()
	n.giveBack(done)
}

// giveBack ends a node that cannot go on: nothing of it can be closed cleanly, and the ports and the directory are free for
// another.
func (n *Node) giveBack(done func()) {
	n.closeWaiting()
	n.o.World.Go(func() {
		n.edge.clients.close(0)
		n.session.quit()
		n.replicas.others.close()
		n.feed.Stop()
		n.closeQuorum()
		n.edge.controllers.close(0)
		n.storage.Abandon()
		done()
	})
}

// finish ends the quorum and seals the directories.
func (n *Node) finish(c *storage.Closing, done func(error)) {
	n.feed.Stop()
	n.closeQuorum()
	n.edge.controllers.close(drainTime)
	n.replicas.news.flush()
	c.Seal(n.session.brokerEpoch(), n.metadata.Load(), done)
}

// closeWaiting answers clients whose requests wait for something.
func (n *Node) closeWaiting() {
	if n.settings.node.Roles.Broker {
		n.areas.fetch.Close()
		n.groups.Close()
	}
}

func (n *Node) closeQuorum() {
	if c, own := n.control.(ownPlane); own {
		c.close()
	}
}
