package quorum

import (
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/world"
)

// successionTicks is how long each voter lets the one before it try first when all of them learn at once that the leader's
// process is gone: two that campaign in the same moment take each other's votes, and both lose an election timeout.
const successionTicks = 2

// LeaderGone tells this voter that the process of the node is gone, which a broken connection and a refused probe prove
// where silence proves nothing. If the node leads as far as this voter knows, it forgets it, gives its vote to whoever
// asks, and campaigns: at once if no other voter comes before it, else a little later.
func (q *Quorum) LeaderGone(node kafka.NodeID) {
	q.locked(func() {
		if lead := q.voters.node(q.lead.role.lead); q.err == nil && !q.lead.role.leading && lead == node && node != kafka.NoNode {
			q.log("metadata leader is gone", "leader", node, "epoch", q.lead.role.term)
			q.lead.gone = departed{q.lead.role.lead, q.lead.role.term, q.o.World.Now().Mono + q.o.Config.patience()}
			q.lead.succeed(func() { _ = q.engine.node.Campaign() }) // a voter may always campaign
		}
	})
}

// departed is a leader that was told to be gone. What it had sent before may still come, and would make this voter follow a
// dead leader again. Whoever tells so may err, and so it counts no longer than silence would have taken.
type departed struct {
	lead, term uint64
	until      time.Duration // monotonic
}

// says reports whether a message is a dead leader's.
func (d departed) says(m *raftpb.Message, now kafka.Instant) bool {
	if d.lead != m.GetFrom() || d.term != m.GetTerm() || now.Mono > d.until {
		return false
	}
	t := m.GetType()
	return t == raftpb.MsgApp || t == raftpb.MsgHeartbeat || t == raftpb.MsgSnap
}

// succeed is the end of a leader of whom it is known that it leads no more: what an election timeout would find out.
func (l *leadership) succeed(campaign func()) {
	gone, term := l.role.lead, l.role.term
	_ = l.q.engine.node.ForgetLeader() // a voter may always forget
	if _, member := l.q.voters.byRaftID(l.q.self.raft); !member {
		return
	}
	before := 0 // voters that come before this one
	for _, v := range l.q.voters {
		if v.raft != gone && v.ID < l.q.self.ID {
			before++
		}
	}
	if before == 0 {
		campaign()
		return
	}
	l.q.o.World.After(time.Duration(successionTicks*before)*l.q.o.Config.tick(), func() {
		l.q.locked(func() {
			st := l.q.engine.node.BasicStatus()
			if l.q.err == nil && st.Lead == raft.None && st.GetTerm() == term { // else an election is under way, or over
				campaign()
			}
		})
	})
}

// adopt looks whether the voters have just lost their leader by a change that it made itself. That stands in the log, so
// whoever succeeds it need not ask whether others hear of it still: it campaigns as if it had been handed the leadership.
func (l *leadership) adopt() {
	if !l.orphaned {
		return
	}
	l.orphaned = false
	from := l.role.lead
	l.succeed(func() {
		_ = l.q.engine.node.Step(&raftpb.Message{Type: raftpb.MsgTimeoutNow.Enum(), From: new(from), To: new(l.q.self.raft)})
	})
}

// handover is a leadership on its way to another voter.
type handover struct {
	to    member
	began bool // Raft was told; before, what was proposed has to be committed
	now   bool // without that: it never will be here
	timer world.Timer
	done  func(error)
}

// TransferTo hands the leadership to a voter, or with NoNode to the one whose log is longest: for a controlled shutdown.
// What was proposed is committed first, so that nobody is told of a loss; commands that come meanwhile are refused with
// NOT_CONTROLLER. done is called once: with nil when this node leads no more.
func (q *Quorum) TransferTo(node kafka.NodeID, done func(error)) { q.transfer(node, false, done) }

// StepAside is TransferTo for a leader whose disk hangs: what it has proposed it will hear of no more, and waits for none of it. Whoever
// leads next has what the others have; who waits here is told that it may take effect.
func (q *Quorum) StepAside(done func(error)) { q.transfer(kafka.NoNode, true, done) }

func (q *Quorum) transfer(node kafka.NodeID, now bool, done func(error)) {
	q.locked(func() {
		err := q.err
		switch {
		case err != nil:
		case !q.lead.role.leading:
			err = q.lead.notController("quorum.TransferTo", "this node does not lead the metadata quorum")
		case q.lead.handing != nil:
			err = fault.New("quorum.TransferTo", kafka.ErrRequestTimedOut, "the leadership is being handed to node %d already", q.lead.handing.to.ID)
		default:
			err = q.lead.handTo(node, now, done)
		}
		if err != nil {
			q.later(func() { done(err) })
		}
	})
}

func (l *leadership) handTo(node kafka.NodeID, now bool, done func(error)) error {
	to, ok := l.successor(node)
	if !ok && node == kafka.NoNode {
		return fault.New("quorum.TransferTo", kafka.ErrInvalidRequest, "no other voter was heard of, there is nobody to hand the leadership to")
	}
	if !ok {
		return fault.New("quorum.TransferTo", kafka.ErrVoterNotFound, "node %d is no other voter of this quorum", node)
	}
	h := &handover{to: to, now: now, done: done}
	l.handing = h
	h.timer = l.q.o.World.After(l.q.o.Config.ElectionTimeout, func() { l.q.locked(func() { l.expireHandover(h) }) })
	return nil
}

// successor is the voter to hand over to: the one of the node, else the one that holds most of the log.
func (l *leadership) successor(node kafka.NodeID) (best member, found bool) {
	match := map[uint64]uint64{}
	l.q.engine.node.WithProgress(func(id uint64, _ raft.ProgressType, pr tracker.Progress) {
		if node != kafka.NoNode || l.q.peers.hears(id, l.q.o) {
			match[id] = pr.Match
		}
	})
	for _, v := range l.q.voters { // ascending: of two alike the first
		m, known := match[v.raft]
		if v.raft == l.q.self.raft || !known || node != kafka.NoNode && v.ID != node {
			continue
		}
		if !found || m > match[best.raft] {
			best, found = v, true
		}
	}
	return best, found
}

// advanceHandover lets Raft hand over as soon as nothing is under way any more.
func (l *leadership) advanceHandover() {
	h := l.handing
	settled := func() bool {
		return l.role.active && len(l.props.values) == 0 && l.q.committed == l.q.engine.store.pos.end()
	}
	if h == nil || h.began || !h.now && !settled() {
		return
	}
	h.began = true
	l.q.log("metadata leader hands over", "to", h.to.ID, "epoch", l.role.term)
	l.q.engine.node.TransferLeader(h.to.raft)
}

// expireHandover gives up on a successor that does not take over. Raft has its own patience and takes no proposals
// before that is over.
func (l *leadership) expireHandover(h *handover) {
	if l.handing != h {
		return
	}
	if l.q.engine.node.BasicStatus().LeadTransferee != raft.None {
		h.timer = l.q.o.World.After(l.q.o.Config.tick(), func() { l.q.locked(func() { l.expireHandover(h) }) })
		return
	}
	l.handing = nil
	l.q.later(func() {
		h.done(fault.New("quorum.TransferTo", kafka.ErrRequestTimedOut, "node %d did not take the leadership over", h.to.ID))
	})
}

// handedOver answers who wanted the leadership gone, now that it is.
func (l *leadership) handedOver(err error) {
	h := l.handing
	if h == nil {
		return
	}
	l.handing = nil
	h.timer.Stop()
	if l.q.err == nil {
		err = nil
	}
	l.q.later(func() { h.done(err) })
}
