package quorum

import (
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/world"
)

// voterChange is the one change of the voters that may be under way. It is asked for, waits until the voter that comes has
// the log, stands in the log as KRAFT_VOTERS, and is over when that is committed (KIP-853).
type voterChange struct {
	comes    Key // the voter that is added; zero in other changes
	to       voterSet
	proposed bool
	end      kafka.Offset // once proposed: committed when everything below is
	early    bool         // answer when it is in the log, not when it is committed (KIP-1186)
	timer    world.Timer
	done     func(error) // nil once it was called
}

func (c *voterChange) answer(q *Quorum, err error) {
	if done := c.done; done != nil {
		c.done = nil
		c.timer.Stop()
		q.later(func() { done(err) })
	}
}

// AddVoter makes a replica that follows the log as an observer a voter. It waits, no longer than the timeout, until the
// replica has all that is committed: a voter that is far behind would stand in the way of every commit. Unless
// whenCommitted, done is called as soon as the change is in this leader's log. Errors and their words are Kafka's.
func (q *Quorum) AddVoter(v Voter, timeout time.Duration, whenCommitted bool, done func(error)) {
	q.alterVoters("adding", timeout, done, func(c *voterChange) error {
		c.comes, c.early = Key{v.ID, v.Directory}, !whenCommitted
		if err := q.valid("Add", v); err != nil {
			return err
		}
		for _, m := range q.voters {
			if m.ID == v.ID {
				return fault.New("quorum.AddVoter", kafka.ErrDuplicateVoter, "The voter id for %s is already part of the set of voters %s.", c.comes.words(), q.voters.words())
			}
		}
		return c.lead(append(q.voters.list(), v))
	})
}

// RemoveVoter takes a voter out. A leader that takes itself out leads until the others have committed that, takes no commands
// meanwhile, and then they elect another at once. The last voter stays.
func (q *Quorum) RemoveVoter(k Key, timeout time.Duration, done func(error)) {
	q.alterVoters("removing", timeout, done, func(c *voterChange) error {
		const op = "quorum.RemoveVoter"
		gone, ok := q.voters.byKey(k)
		if !ok {
			return fault.New(op, kafka.ErrVoterNotFound, "Cannot remove voter %s from the set of voters %s", k.words(), q.voters.words())
		}
		if len(q.voters) == 1 {
			return fault.New(op, kafka.ErrInvalidRequest, "Cannot remove voter %s: it is the only one", k)
		}
		var rest []Voter
		for _, m := range q.voters {
			if m.raft != gone.raft {
				rest = append(rest, m.Voter)
			}
		}
		return c.lead(rest)
	})
}

// UpdateVoter gives a voter new endpoints and another range of kraft.version.
func (q *Quorum) UpdateVoter(v Voter, timeout time.Duration, done func(error)) {
	q.alterVoters("updating", timeout, done, func(c *voterChange) error {
		if err := q.valid("Update", v); err != nil {
			return err
		}
		list, found := q.voters.list(), false
		for i, m := range q.voters {
			if m.key == (Key{v.ID, v.Directory}) {
				list[i], found = v, true
			}
		}
		if !found {
			return fault.New("quorum.UpdateVoter", kafka.ErrVoterNotFound, "Cannot update voter %s in the set of voters %s", Key{v.ID, v.Directory}.words(), q.voters.words())
		}
		return c.lead(list)
	})
}

// lead says where the change leads.
func (c *voterChange) lead(to []Voter) (err error) {
	c.to, err = newVoterSet(to)
	return err
}

// valid refuses a voter that could not take part.
func (q *Quorum) valid(what string, v Voter) error {
	op := "quorum." + what + "Voter"
	switch {
	case v.ID < 0 || v.Directory == (kafka.DirectoryID{}):
		return fault.New(op, kafka.ErrInvalidRequest, "%s voter request didn't include a valid voter", what)
	case len(v.Endpoints) == 0:
		return fault.New(op, kafka.ErrInvalidRequest, "%s voter request didn't include the endpoint of the default listener", what)
	case v.MinKRaft > q.kraft || v.MaxKRaft < q.kraft:
		return fault.New(op, kafka.ErrInvalidRequest, "The kraft.version %d of this cluster is outside the range %d to %d that voter %s supports",
			q.kraft, v.MinKRaft, v.MaxKRaft, Key{v.ID, v.Directory})
	}
	return nil
}

// alterVoters begins a change if one may begin.
func (q *Quorum) alterVoters(doing string, timeout time.Duration, done func(error), prepare func(*voterChange) error) {
	q.locked(func() {
		c := &voterChange{done: done}
		err := q.mayAlter(doing)
		if err == nil {
			err = prepare(c)
		}
		if err != nil {
			q.later(func() { done(err) })
			return
		}
		c.timer = q.o.World.After(timeout, func() { q.locked(func() { q.lead.expireChange(c) }) })
		q.lead.change = c
	})
}

// mayAlter refuses a change where none is possible: on one who does not lead, at kraft.version 0, and beside another.
func (q *Quorum) mayAlter(doing string) error {
	const op = "quorum.voters"
	timedOut := func(format string, args ...any) error {
		return fault.New(op, kafka.ErrRequestTimedOut, "Request timed out waiting for "+format, args...)
	}
	l := &q.lead
	if q.err != nil {
		return q.err
	}
	if !l.role.leading || l.handing != nil {
		e := l.notController(op, "this node does not lead the metadata quorum")
		e.Code = kafka.ErrNotLeaderOrFollower // a handler of Raft's own APIs, as in Kafka
		return e
	}
	switch {
	case l.change != nil && !l.change.proposed:
		return timedOut("leader to handle previous voter change request")
	case l.change != nil:
		return timedOut("voters to commit the latest voter change to %s", l.change.to)
	case !l.role.active:
		return timedOut("leader to establish HWM and fence previous voter changes")
	case q.kraft < kraftDynamic:
		return fault.New(op, kafka.ErrUnsupportedVersion, "Cluster doesn't support %s voter because the kraft.version feature is %d", doing, q.kraft)
	}
	return nil
}

// advanceChange puts a change into the log as soon as the voter that comes has what is committed. An entry of this leader
// is committed by then, and no other change is under way: what single changes need to be safe.
func (l *leadership) advanceChange() {
	c := l.change
	if c == nil || c.proposed || !l.role.active || l.handing != nil || c.comes != (Key{}) && !l.q.peers.caughtUp(c.comes, l.q.o) {
		return
	}
	l.propose() // what was decided before has its offsets already
	if !l.role.active {
		return
	}
	c.proposed = true
	b := record.NewControl(l.props.base, kafka.LeaderEpoch(l.role.term), l.q.o.World.Now().WallMs, votersRecord(c.to))
	if err := l.q.engine.node.ProposeConfChange(&raftpb.ConfChangeV2{Context: b}); err != nil {
		l.abandon(l.notController("quorum.voters", "the metadata quorum takes no proposals: "+err.Error()))
		return
	}
	c.end = b.NextOffset()
	l.props.skip(c.end)
	if c.early {
		c.answer(l.q, nil)
	}
}

// leaves reports whether this leader's log holds the change that takes it out of the voters. It proposes nothing after that: a voter
// that has the change and has not heard that it is committed can succeed this node only by its vote, which a log that goes on here
// would refuse for ever.
func (l *leadership) leaves() bool {
	if c := l.change; c == nil || !c.proposed {
		return false
	}
	_, stays := l.change.to.byRaftID(l.q.self.raft)
	return !stays
}

// settleChange ends a change that is committed.
func (l *leadership) settleChange() {
	if c := l.change; c != nil && c.proposed && c.end <= l.q.committed {
		l.changed(nil)
	}
}

// changed is the end of the change: it is committed, or this node leads no more and does not know.
func (l *leadership) changed(err error) {
	if c := l.change; c != nil {
		l.change = nil
		c.answer(l.q, err)
	}
}

// expireChange answers who has waited long enough. What is in the log may still be committed, and until it is, or this
// node leads no more, no other change begins.
func (l *leadership) expireChange(c *voterChange) {
	if l.change != c {
		return
	}
	const op = "quorum.voters"
	why := fault.New(op, kafka.ErrRequestTimedOut, "Request timed out waiting for voters to commit the change to %s", c.to)
	if !c.proposed {
		l.change = nil
		why = fault.New(op, kafka.ErrRequestTimedOut, "Aborted add voter operation for %s since it is lagging behind", c.comes)
		if l.q.peers.observers[c.comes] == nil {
			why = fault.New(op, kafka.ErrRequestTimedOut, "New voter %s is not ready to receive requests: it does not fetch from this leader", c.comes)
		}
	}
	c.answer(l.q, why)
}
