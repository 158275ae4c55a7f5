package replica

import (
	"slices"
	"time"

	"github.com/milena-io/milena/internal/kafka"
)

// modelBroker is a broker as the controller knows it.
type modelBroker struct {
	epoch  kafka.BrokerEpoch
	active bool
}

// snapshot is one state of the metadata.
type snapshot struct {
	reg     Registration
	brokers [4]modelBroker
}

// modelController decides by the rules of KIP-966 for replicas whose acknowledgements are durable (D5): an unclean restart
// costs neither ISR nor ELR. It never fails and never forgets.
type modelController struct {
	reg     Registration
	elr     []kafka.NodeID
	brokers [4]modelBroker
	heard   [4]time.Duration
	history []snapshot
	next    kafka.BrokerEpoch
}

func (c *modelController) begin() {
	all := []kafka.NodeID{1, 2, 3}
	c.reg = Registration{Leader: kafka.NoNode, LeaderEpoch: 0, PartitionEpoch: 0, Replicas: all, ISR: nil}
	c.elr = all
}

// change makes a change of the partition count, unless there is none.
func (c *modelController) change(m *model, leader kafka.NodeID, isr, elr []kafka.NodeID) {
	slices.Sort(elr)
	if leader == c.reg.Leader && slices.Equal(isr, c.reg.ISR) && slices.Equal(elr, c.elr) {
		return
	}
	before := c.reg
	if leader != before.Leader {
		c.reg.LeaderEpoch++
		if leader != kafka.NoNode {
			m.reached.elections++
		}
	}
	c.reg.Leader, c.reg.ISR, c.elr = leader, isr, elr
	c.reg.PartitionEpoch++
	m.reached.isrChanges++
	m.checks.changed(m, before)
}

// publish tells all nodes.
func (c *modelController) publish(m *model) {
	c.history = append(c.history, snapshot{c.reg, c.brokers})
	for id := 1; id <= 3; id++ {
		m.bring(id)
	}
}

// bring brings a node the newest metadata, if the message comes.
func (m *model) bring(id int) {
	at := len(m.ctl.history) - 1
	m.send(0, id, func() { m.nodes[id].metadata(at) })
}

func without(list []kafka.NodeID, id kafka.NodeID) []kafka.NodeID {
	return slices.DeleteFunc(slices.Clone(list), func(n kafka.NodeID) bool { return n == id })
}

// withElr is the ELR that goes with an ISR: who left it while it was too small.
func (c *modelController) withElr(isr []kafka.NodeID) (elr []kafka.NodeID) {
	if len(isr) >= modelMin {
		return nil
	}
	for _, id := range slices.Concat(c.reg.ISR, c.elr) {
		if !slices.Contains(isr, id) && !slices.Contains(elr, id) {
			elr = append(elr, id)
		}
	}
	return elr
}

func (c *modelController) fence(m *model, id kafka.NodeID) {
	c.brokers[id].active = false
	isr := without(c.reg.ISR, id)
	leader := c.reg.Leader
	if leader == id {
		leader = kafka.NoNode
		if len(isr) > 0 {
			leader = isr[0]
		}
	}
	c.settle(m, leader, isr)
}

// settle elects where nobody leads and somebody may.
func (c *modelController) settle(m *model, leader kafka.NodeID, isr []kafka.NodeID) {
	elr := c.withElr(isr)
	if leader == kafka.NoNode {
		for _, id := range slices.Concat(isr, elr) {
			if c.brokers[id].active {
				leader = id
				if !slices.Contains(isr, id) {
					isr = append(slices.Clone(isr), id)
				}
				elr = without(elr, id)
				break
			}
		}
		if len(isr) >= modelMin {
			elr = nil
		}
	}
	c.change(m, leader, isr, elr)
	c.publish(m)
}

// register takes a new process. D6: whatever the old one led gets a new epoch before the new one hears anything.
func (c *modelController) register(m *model, n *modelNode) kafka.BrokerEpoch {
	c.next++
	id := kafka.NodeID(n.id)
	was := c.brokers[id].active
	if n.wiped { // its directory id is another: what it held it holds no more
		n.wiped = false
		c.elr = without(c.elr, id)
		c.brokers[id].active = false
		isr := without(c.reg.ISR, id)
		leader := c.reg.Leader
		if leader == id {
			leader = kafka.NoNode
		}
		c.reg.ISR = isr
		c.reg.PartitionEpoch++
		if leader != c.reg.Leader {
			c.reg.Leader = leader
			c.reg.LeaderEpoch++
		}
		c.settle(m, leader, isr)
	} else if m.mutant != resumeEpoch || !was {
		c.fence(m, id)
	}
	c.brokers[id] = modelBroker{epoch: c.next, active: was && m.mutant == resumeEpoch}
	c.heard[id] = m.now
	c.publish(m)
	return c.next
}

// heartbeat keeps a process unfenced.
func (c *modelController) heartbeat(m *model, id int, epoch kafka.BrokerEpoch) {
	b := &c.brokers[id]
	if b.epoch != epoch {
		return
	}
	c.heard[id] = m.now
	if !b.active {
		b.active = true
		c.settle(m, c.reg.Leader, c.reg.ISR)
	}
}

// tickOf fences who is silent and brings metadata that was lost.
func (c *modelController) tickOf(m *model) func() {
	return func() {
		for id := 1; id <= 3; id++ {
			if c.brokers[id].active && m.now-c.heard[id] > 500*time.Millisecond {
				c.fence(m, kafka.NodeID(id))
			}
			if len(c.history) > 0 {
				m.bring(id)
			}
		}
	}
}

// alter is AlterPartition.
func (c *modelController) alter(m *model, from kafka.NodeID, broker kafka.BrokerEpoch, w Wish) (code kafka.ErrorCode, epoch kafka.PartitionEpoch) {
	switch {
	case c.brokers[from].epoch != broker:
		return kafka.ErrStaleBrokerEpoch, 0
	case w.LeaderEpoch < c.reg.LeaderEpoch || c.reg.Leader != from:
		return kafka.ErrFencedLeaderEpoch, 0
	case w.PartitionEpoch != c.reg.PartitionEpoch:
		return kafka.ErrInvalidUpdateVersion, 0
	}
	var isr []kafka.NodeID
	for _, member := range w.ISR {
		b := c.brokers[member.Node]
		known := member.BrokerEpoch == b.epoch || member.BrokerEpoch == -1 || m.mutant == anyBrokerEpoch
		if !b.active || !known {
			return kafka.ErrIneligibleReplica, 0
		}
		isr = append(isr, member.Node)
	}
	if slices.Equal(isr, c.reg.ISR) {
		c.reg.PartitionEpoch++ // the wish is granted like any other
	}
	c.change(m, from, isr, c.withElr(isr))
	c.publish(m)
	return kafka.ErrNone, c.reg.PartitionEpoch
}
