package replica

import (
	"fmt"
	"slices"

	"github.com/milena-io/milena/internal/kafka"
)

// entry is one record.
type entry struct {
	epoch kafka.LeaderEpoch
	value int
}

type place struct {
	offset int
	epoch  kafka.LeaderEpoch
}

// acked is a record that was acknowledged with acks=all.
type acked struct {
	offset int
	entry
}

// process is one incarnation of a node.
type process struct{ id, incarnation int }

// checks is what the model remembers for its checkers, by the numbers of reliability.md.
type checks struct {
	bad     string
	written map[place]int
	led     map[kafka.LeaderEpoch]process
	acked   []acked
}

func (c *checks) begin() { c.written, c.led = map[place]int{}, map[kafka.LeaderEpoch]process{} }

func (c *checks) fail(name, format string, args ...any) {
	if c.bad == "" {
		c.bad = name + ": " + fmt.Sprintf(format, args...)
	}
}

// R1: below both high watermarks all replicas are the same.
func (c *checks) samePrefix(a, b *modelNode) {
	if !a.up || !b.up {
		return
	}
	for o := range min(a.rep.HighWatermark(), b.rep.HighWatermark()) {
		if a.log[o] != b.log[o] {
			c.fail("R1", "offset %d is %+v on node %d and %+v on node %d, below both high watermarks", o, a.log[o], a.id, b.log[o], b.id)
			return
		}
	}
}

// R2: a leader that takes over holds every record that was committed in an earlier epoch.
func (c *checks) complete(n *modelNode) {
	epoch := n.rep.Registration().LeaderEpoch
	for _, a := range c.acked {
		if a.epoch < epoch && !n.holds(a, len(n.log)) {
			c.fail("R2", "node %d leads epoch %d without offset %d of epoch %d, which was acknowledged", n.id, epoch, a.offset, a.epoch)
			return
		}
	}
}

// R3: offset and epoch determine the record, for all time; epochs along a log do not go back.
func (c *checks) appended(n *modelNode, at int) {
	e := n.log[at]
	if v, ok := c.written[place{at, e.epoch}]; ok && v != e.value {
		c.fail("R3", "offset %d of epoch %d is %d on node %d, and was %d elsewhere", at, e.epoch, e.value, n.id, v)
	}
	c.written[place{at, e.epoch}] = e.value
	if at > 0 && n.log[at-1].epoch > e.epoch {
		c.fail("R3", "epoch %d comes after %d on node %d", e.epoch, n.log[at-1].epoch, n.id)
	}
}

// R3, R4: one process leads an epoch, and none after it.
func (c *checks) began(n *modelNode, epoch kafka.LeaderEpoch) {
	me := process{n.id, n.incarnation}
	if was, ok := c.led[epoch]; ok && was != me {
		c.fail("R4", "epoch %d is led by %+v, and was by %+v", epoch, me, was)
	}
	c.led[epoch] = me
}

// R5: within an epoch, the high watermark does not go back.
func (c *checks) high(n *modelNode, was kafka.Offset) {
	if n.rep.HighWatermark() < was {
		c.fail("R5", "the high watermark of node %d went from %d to %d", n.id, was, n.rep.HighWatermark())
	}
}

// R6: what is acknowledged is durable on every member of the ISR, of which there are enough. Who was replaced meanwhile is
// judged by R2.
func (c *checks) acknowledged(m *model, n *modelNode, a acked) {
	reg := n.rep.Registration()
	if reg.LeaderEpoch == m.ctl.reg.LeaderEpoch {
		for _, id := range m.ctl.reg.ISR {
			if other := m.nodes[id]; !other.wiped && !other.holds(a, other.durable) {
				c.fail("R6", "offset %d of epoch %d is acknowledged by node %d and not durable on node %d of the ISR %v", a.offset, a.epoch, n.id, id, m.ctl.reg.ISR)
			}
		}
		if len(m.ctl.reg.ISR) < modelMin && len(reg.ISR) < modelMin {
			c.fail("R6", "acknowledged with an ISR of %v", reg.ISR)
		}
	}
	c.acked = append(c.acked, a)
	for _, other := range m.nodes[1:] {
		if other.up && other.rep.Leads() {
			c.complete(other)
		}
	}
}

// R7, R9, R12: after every change of the controller's.
func (c *checks) changed(m *model, before Registration) {
	reg, elr := m.ctl.reg, m.ctl.elr
	if reg.PartitionEpoch != before.PartitionEpoch+1 {
		c.fail("R12", "the partition epoch went from %d to %d", before.PartitionEpoch, reg.PartitionEpoch)
	}
	if reg.Leader != kafka.NoNode && !slices.Contains(reg.ISR, reg.Leader) {
		c.fail("R7", "the leader %d is not in the ISR %v", reg.Leader, reg.ISR)
	}
	if len(elr) > 0 && len(reg.ISR) >= modelMin {
		c.fail("R9", "ELR %v beside an ISR of %v", elr, reg.ISR)
	}
	for _, id := range slices.Concat(reg.ISR, elr) {
		if slices.Contains(reg.ISR, id) && slices.Contains(elr, id) {
			c.fail("R7", "node %d is in ISR %v and ELR %v", id, reg.ISR, elr)
		}
		n := m.nodes[id]
		if n.wiped {
			continue // until it registers the controller cannot know
		}
		for _, a := range c.acked {
			if !n.holds(a, n.durable) {
				c.fail("R7", "node %d of ISR %v and ELR %v lacks offset %d of epoch %d, which was acknowledged (R8 when it just joined)", id, reg.ISR, elr, a.offset, a.epoch)
				return
			}
		}
	}
}

// R10: nobody truncates below its own high watermark.
func (c *checks) truncated(n *modelNode, o Order) {
	if o.Alarm {
		c.fail("R10", "node %d truncates to %d, below its high watermark %d", n.id, o.At, n.rep.HighWatermark())
	}
}

// R11: a fetch of another epoch changes nothing.
func (c *checks) refused(n *modelNode, followers []follower, high kafka.Offset) {
	if !slices.Equal(followers, n.rep.followers) || high != n.rep.HighWatermark() {
		c.fail("R11", "a fetch of another epoch changed what node %d knows", n.id)
	}
}

// final asks for what must hold when nothing is under way: every acknowledged record is on every replica in sync.
func (c *checks) final(m *model) {
	for _, id := range m.ctl.reg.ISR {
		for _, a := range c.acked {
			if n := m.nodes[id]; !n.holds(a, len(n.log)) {
				c.fail("lost", "offset %d of epoch %d was acknowledged, and node %d does not have it", a.offset, a.epoch, id)
				return
			}
		}
	}
	if len(m.ctl.reg.ISR) != 3 {
		c.fail("liveness", "after everything healed the ISR is %v: %s", m.ctl.reg.ISR, m)
	}
}
