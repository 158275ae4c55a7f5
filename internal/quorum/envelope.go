package quorum

import (
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// Envelope says whose message it is and whom it is for. The transport carries it beside the message.
type Envelope struct {
	Cluster string // the cluster's id
	From    Key
	To      Key
}

// addressed refuses what is not for this voter, or not from one of its quorum. A sender that this log does not name is
// believed to have become a voter since, and asked for nothing more than Raft asks of every candidate and leader: it knows
// this voter's directory id, which only the voters' list tells, and its log has to be the longer one. A candidate whose
// log tells nothing newer is none: where this log knows its node under another directory, that was wiped, or its node.id is given
// twice; and where there is a leader it was removed and never told so, and is to look at the leader's log as an observer.
func (q *Quorum) addressed(env Envelope, m *raftpb.Message) error {
	const op = "quorum.Receive"
	switch {
	case env.Cluster != q.o.Cluster:
		return fault.New(op, kafka.ErrInconsistentClusterId, "node %d is of cluster %q, this node of cluster %q", env.From.NodeID, env.Cluster, q.o.Cluster)
	case env.To != q.o.Self || m.GetTo() != q.self.raft:
		return fault.New(op, kafka.ErrInvalidVoterKey, "a message of node %d for voter %s, this is %s", env.From.NodeID, env.To, q.o.Self)
	case env.From.RaftID() != m.GetFrom() || env.From.NodeID < 0:
		return fault.New(op, kafka.ErrInvalidVoterKey, "a message that voter %s did not write", env.From)
	case env.From.NodeID == q.o.Self.NodeID:
		return fault.New(op, kafka.ErrDuplicateVoter, "node.id %d is given twice: a message of voter %s came to voter %s", env.From.NodeID, env.From, q.o.Self)
	}
	if _, ok := q.voters.byRaftID(m.GetFrom()); ok {
		return nil
	}
	switch m.GetType() {
	case raftpb.MsgVote, raftpb.MsgPreVote:
		if q.ahead(m) {
			break
		}
		for _, v := range q.voters {
			if v.ID == env.From.NodeID {
				return fault.New(op, kafka.ErrInvalidVoterKey, "node %d votes with directory %s, not with %s: its metadata directory is new, or its node.id is given twice; "+
					"remove the voter and add it again", v.ID, kafka.UUID(v.Directory), kafka.UUID(env.From.DirectoryID))
			}
		}
		if q.lead.role.lead != raft.None {
			return fault.New(op, kafka.ErrVoterNotFound, "%s is no voter of %s", env.From, q.voters)
		}
	case raftpb.MsgApp, raftpb.MsgHeartbeat, raftpb.MsgSnap:
	default:
		return fault.New(op, kafka.ErrVoterNotFound, "a %v message of %s, which is no voter", m.GetType(), env.From)
	}
	q.peers.meet(env.From)
	return nil
}

// ahead reports whether a candidate's log goes on where what this voter has applied ends. Then the voters that this one goes by say nothing
// of the candidate: its log may name it, and this voter may have just started, or be the last to hear of the change. One that ends there
// or earlier holds nothing that this voter doesn't, for what is applied is committed.
func (q *Quorum) ahead(candidate *raftpb.Message) bool {
	applied := q.engine.node.BasicStatus().Applied
	term, err := q.engine.store.Term(applied)
	last := candidate.GetLogTerm()
	return err != nil || last > term || last == term && candidate.GetIndex() > applied
}
