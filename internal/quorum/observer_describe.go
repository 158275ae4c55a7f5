package quorum

import (
	"cmp"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// Describe tells what the observer knows of the quorum: who leads and votes, how far its own log goes and is committed. How far the others
// are only the leader knows.
func (ob *Observer) Describe() Description {
	ob.mu.Lock()
	defer ob.mu.Unlock()
	d := Description{Leader: kafka.NoNode, Epoch: ob.leader.epoch, HighWatermark: ob.committed, LogStart: ob.store.pos.start}
	if ob.leader.known {
		d.Leader = ob.leader.at.ID
	}
	for _, v := range ob.voters {
		r := Replica{Voter: v.Voter, LogEnd: kafka.NoOffset, LastFetchMs: -1, LastCaughtUpMs: -1}
		if v.key == ob.o.Self { // it may have acknowledged all of it as a voter
			r.LogEnd = ob.store.pos.end()
		}
		d.Voters = append(d.Voters, r)
	}
	return d
}

// KRaftVersion is the kraft.version of the log, as far as it goes.
func (ob *Observer) KRaftVersion() int16 {
	ob.mu.Lock()
	defer ob.mu.Unlock()
	return ob.store.kraft
}

// Stop ends the pulling and leaves the log as it is: what is not durable is pulled again. A voter is not to be opened after it.
func (ob *Observer) Stop() {
	ob.locked(ob.end)
}

// Judge reports whether a message for this observer makes a voter of it: a candidate asks for its vote, and may know it for a voter by what
// was committed since. A candidate that is none is refused: there is a leader, and the voters of the log are others. One whose log goes on
// after what is known here may be one by that, and is not refused; while there is a leader it gets no vote either. One that knows less than
// this observer is passed over: it has just started, or its message is late, and its log is too short for a vote.
func (ob *Observer) Judge(candidate Key, msg []byte) (votes bool, err error) {
	m, err := decodeMessage(msg)
	if err != nil || !candidates(m) {
		return false, nil
	}
	ob.mu.Lock()
	defer ob.mu.Unlock()
	if _, named := ob.voters.byKey(candidate); !named && ob.leader.known {
		if after, ok := ob.against(m); ok && after > 0 {
			return false, nil
		}
		return false, fault.New("quorum.Observer", kafka.ErrVoterNotFound, "%s is no voter of %s", candidate, ob.voters)
	}
	return !ob.knowsMore(m), nil
}

// knowsMore reports whether what is known here to be committed gives this node no vote, and goes on after a candidate's log ends.
func (ob *Observer) knowsMore(candidate *raftpb.Message) bool {
	pos := &ob.store.pos
	next, ok := pos.indexOf(ob.committed)
	_, named := ob.voters.byKey(ob.o.Self)
	if n := len(pos.changes); !ok || named || len(ob.voters) == 0 || n > 0 && pos.changes[n-1] >= next {
		return false
	}
	after, ok := ob.against(candidate)
	return ok && after < 0
}

// against compares where a candidate's log ends with where what is known here to be committed does: positive where it goes on after that.
func (ob *Observer) against(candidate *raftpb.Message) (after int, ok bool) {
	next, ok := ob.store.pos.indexOf(ob.committed)
	if !ok {
		return 0, false
	}
	term, ok := ob.store.pos.termOf(next - 1)
	return cmp.Or(cmp.Compare(candidate.GetLogTerm(), term), cmp.Compare(candidate.GetIndex()+1, next)), ok
}
