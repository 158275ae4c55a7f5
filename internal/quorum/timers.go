package quorum

import (
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/tracker"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

// Raft's clock: an election timeout is this many ticks, a heartbeat every second one.
const (
	electionTicks  = 20
	heartbeatTicks = 2
	snapshotTicks  = 5 * electionTicks // a snapshot that has not arrived by then is sent again

	// timeoutShare is the part of controller.quorum.election.timeout.ms that one election timeout takes. Raft draws each
	// voter's between one and two of them, and an election that nobody wins wants another: so that silence of the leader
	// ends within Kafka's time, and at its default of a second within 0.2 to 0.4 s.
	timeoutShare = 5
)

// tick is how long one of Raft's ticks takes.
func (c Config) tick() time.Duration { return c.ElectionTimeout / (timeoutShare * electionTicks) }

// patience is how long a voter hears nothing before it campaigns, at the least.
func (c Config) patience() time.Duration { return c.tick() * electionTicks }

// clock drives what happens by itself: Raft's ticks and the machine's timers.
type clock struct {
	q       *Quorum
	ticking bool
	unheard int // ticks since a voter was heard by this node, which is none
}

// armTicks starts Raft's clock. A lone voter has none: it has nobody to lose or to hear from.
func (c *clock) armTicks() {
	if c.ticking || c.q.voters.alone(c.q.self) {
		return
	}
	c.ticking = true
	c.tickLater()
}

func (c *clock) tickLater() {
	c.q.o.World.After(c.q.o.Config.tick(), func() {
		c.q.locked(func() {
			if c.q.err != nil {
				return
			}
			if c.q.voters.alone(c.q.self) && c.q.lead.role.leading { // who was left alone without leading has to campaign yet
				c.ticking = false
				return
			}
			c.q.engine.node.Tick()
			c.noteUnheard()
			c.retrySnapshots()
			c.tickLater()
		})
	})
}

// noteUnheard looks whether this node is a voter to anybody. One that is none by its own log was removed, or is one by what
// was committed since, and then a voter's messages come for it: it gives its vote before it knows that it has one, as Kafka's
// do. When none come it was removed.
func (c *clock) noteUnheard() {
	if _, member := c.q.voters.byRaftID(c.q.self.raft); member || c.q.o.Unseated == nil {
		return
	}
	if c.unheard++; c.unheard == 2*electionTicks {
		c.q.later(c.q.o.Unseated)
	}
}

// retrySnapshots tells Raft of snapshots that must have been lost: it waits for each without end.
func (c *clock) retrySnapshots() {
	if !c.q.lead.role.leading {
		return
	}
	var lost []uint64
	c.q.engine.node.WithProgress(func(id uint64, _ raft.ProgressType, pr tracker.Progress) {
		p := c.q.peers.voters[id]
		switch {
		case p == nil:
		case pr.State != tracker.StateSnapshot:
			p.stuck = 0
		case p.stuck < snapshotTicks:
			p.stuck++
		default:
			p.stuck = 0
			lost = append(lost, id)
		}
	})
	for _, id := range lost {
		c.q.engine.node.ReportSnapshot(id, raft.SnapshotFailure)
	}
}

// runTimers has the machine's timers looked at while this leadership lasts.
func (c *clock) runTimers() {
	term := c.q.lead.role.term
	c.q.o.World.After(c.q.o.Config.TimerInterval, func() {
		c.q.locked(func() {
			if c.q.err != nil || !c.q.lead.role.active || c.q.lead.role.term != term {
				return
			}
			now := c.q.o.World.Now()
			if c.q.lead.handing != nil || c.q.lead.leaves() {
				c.runTimers() // whoever leads next looks at its own
				return
			}
			for _, cmd := range c.q.o.Machine.Due(now) {
				c.q.lead.decide(cmd, func(Reply, error) {})
			}
			c.keepAlive(now)
			if c.q.lead.role.active {
				c.runTimers()
			}
		})
	})
}

// keepAlive writes a no-op record when nothing was written for metadata.max.idle.interval.ms, so that the others can
// tell a quiet log from a lost leader (KIP-835). With nobody to see it, on a lone node, it would only wake the disk.
func (c *clock) keepAlive(now kafka.Instant) {
	every := c.q.o.Config.IdleInterval
	watched := len(c.q.voters) > 1 || len(c.q.peers.observers) > 0
	if every < time.Millisecond || !watched || now.Since(c.q.lead.props.appended) < every {
		return
	}
	_ = c.q.lead.gather(now, []Record{&staterecord.NoOp{}}) // one record is never too large
}
