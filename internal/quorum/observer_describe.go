package quorum

import (
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// Describe tells what the observer knows of the quorum: who leads and votes, and how far its own log is committed. How far the others
// are only the leader knows.
func (ob *Observer) Describe() Description {
	ob.mu.Lock()
	defer ob.mu.Unlock()
	d := Description{Leader: kafka.NoNode, Epoch: ob.leader.epoch, HighWatermark: ob.committed, LogStart: ob.store.pos.start}
	if ob.leader.known {
		d.Leader = ob.leader.at.ID
	}
	for _, v := range ob.voters {
		d.Voters = append(d.Voters, Replica{Voter: v.Voter, LogEnd: kafka.NoOffset, LastFetchMs: -1, LastCaughtUpMs: -1})
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

// Judge refuses a candidate that this observer knows to be none: there is a leader, and the voters of its log are others. What is left may
// be a voter by what was committed since.
func (ob *Observer) Judge(candidate Key) error {
	ob.mu.Lock()
	defer ob.mu.Unlock()
	if _, named := ob.voters.byKey(candidate); named || !ob.leader.known {
		return nil
	}
	return fault.New("quorum.Observer", kafka.ErrVoterNotFound, "%s is no voter of %s", candidate, ob.voters)
}
