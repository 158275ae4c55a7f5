package quorum

import (
	"context"
	"log/slog"

	"go.etcd.io/raft/v3"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// role is where this voter stands in the current term.
type role struct {
	term    uint64
	lead    uint64 // Raft id of the leader, 0 for none
	leading bool
	active  bool // leading, everything in the log is applied, commands are taken
	told    bool // the machine knows that it leads
}

// leadership is what this node does while it leads: it has the machine decide, gathers the records into batches,
// proposes them and answers when they are committed.
type leadership struct {
	q     *Quorum
	role  role
	props proposals
	took  latencies

	handing *handover    // while the leadership is handed over
	change  *voterChange // while a voter comes, goes or moves

	gone     departed // the last leader that was told to be gone
	orphaned bool     // the voters have just lost their leader by a change that it made itself
}

// noteRole looks at what the last step did to the leadership.
func (l *leadership) noteRole() {
	st := l.q.engine.node.BasicStatus()
	l.took.role(l.q.o.World.Now().Mono, st)
	now := role{term: st.GetTerm(), lead: st.Lead, leading: st.RaftState == raft.StateLeader}
	was := l.role
	if now.term == was.term && now.leading == was.leading {
		if now.lead != was.lead {
			l.role.lead = now.lead
			l.q.log("metadata leader", "leader", l.q.voters.node(now.lead), "epoch", now.term)
		}
		return
	}
	l.role = now
	if was.leading {
		l.abandon(l.notController("quorum.Submit", "the leadership of the metadata quorum was lost before the change was committed; it may still take effect"))
	}
	if now.leading {
		l.q.peers.reset(l.q.o.World.Now())
	}
	level := slog.LevelInfo
	if now.lead == 0 {
		level = slog.LevelDebug // an election is under way: the next line tells who won
	}
	l.q.logAt(level, "metadata role", "leader", l.q.voters.node(now.lead), "epoch", now.term, "leading", now.leading)
}

// activate makes a new leader take commands once everything that its log holds is committed and applied, which is when
// its own LEADER_CHANGE is.
func (l *leadership) activate() {
	if !l.role.leading || l.role.active || l.q.committed != l.q.engine.store.pos.end() || l.q.engine.store.pos.lastTerm() != l.role.term {
		return
	}
	l.role.active = true
	l.props.start(l.q.committed)
	l.q.log("metadata leader is active", "epoch", l.role.term, "offset", l.q.committed)
	if !l.role.told {
		l.role.told = true
		l.q.o.Machine.Lead(l.q.o.World.Now(), l.q.committed)
	}
	early := l.props.early
	l.props.early = nil
	for _, cmd := range l.q.o.Machine.Due(l.q.o.World.Now()) { // what the log has to begin with comes before what anybody asked for
		l.decide(cmd, func(Reply, error) {})
	}
	l.q.clock.runTimers()
	l.q.reads.ask(l.q)
	for _, c := range early {
		l.decide(c.cmd, c.done)
	}
}

// abandon takes back what was proposed and tells everybody who waits.
func (l *leadership) abandon(err error) {
	l.role.active = false
	if l.props.applied > l.q.committed {
		l.q.o.Machine.Revert(l.q.committed)
	}
	l.props.applied = l.q.committed
	for _, done := range l.props.clear() {
		l.q.later(func() { done(err) })
	}
	l.handedOver(err)
	l.changed(err)
	l.q.watch.pulls.end(l.q)
}

// notController refuses a command with the name of who would take it.
func (l *leadership) notController(op, why string) *fault.Error {
	if leader := l.q.voters.node(l.role.lead); leader != kafka.NoNode && leader != l.q.self.ID {
		return fault.New(op, kafka.ErrNotController, "%s; the active controller is node %d", why, leader)
	}
	return fault.New(op, kafka.ErrNotController, "%s; there is no active controller at the moment", why)
}

func (q *Quorum) log(msg string, args ...any) { q.logAt(slog.LevelInfo, msg, args...) }

func (q *Quorum) logAt(level slog.Level, msg string, args ...any) {
	if q.o.Logger != nil {
		q.o.Logger.Log(context.Background(), level, msg, args...)
	}
}
