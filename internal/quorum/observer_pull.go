package quorum

import (
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
)

// ask sends the next question: a piece of a snapshot, or what comes after the log's end.
func (ob *Observer) ask() {
	if ob.err != nil || ob.snaps.busy {
		return
	}
	ob.asked++
	asked, to := ob.asked, ob.whom()
	if ob.timer != nil {
		ob.timer.Stop()
	}
	ob.timer = ob.o.World.After(ob.o.Config.FetchTimeout, func() { ob.locked(func() { ob.silent(asked) }) })
	if d := ob.snaps.download; d != nil {
		a := PullChunk{Observer: ob.o.Self, Epoch: ob.epoch(), Snapshot: d.id, Position: d.got, MaxBytes: ob.o.Config.ChunkBytes}
		ob.later(func() {
			ob.o.Upstream.FetchSnapshot(to, a, func(c Chunk, err error) { ob.locked(func() { ob.chunked(asked, c, err) }) })
		})
		return
	}
	a := Pull{Observer: ob.o.Self, Epoch: ob.epoch(), From: ob.store.pos.end(), LastEpoch: kafka.LeaderEpoch(ob.store.pos.lastTerm()),
		MaxBytes: ob.o.Config.MaxBytes, MaxWait: ob.o.Config.MaxWait}
	if ob.bare {
		a.LastEpoch = -1
	}
	ob.later(func() {
		ob.o.Upstream.Fetch(to, a, func(p Pulled, err error) { ob.locked(func() { ob.pulled(asked, p, err) }) })
	})
}

// epoch is what a question says of the leader: nothing, where it goes to somebody who may not lead.
func (ob *Observer) epoch() kafka.LeaderEpoch {
	if ob.leader.known {
		return ob.leader.epoch
	}
	return -1
}

// whom is the leader if it is known, else everybody in turn: the voters that the log names, then those of the configuration.
func (ob *Observer) whom() Voter {
	if ob.leader.known {
		return ob.leader.at
	}
	all := append(ob.voters.list(), ob.o.Seats...)
	if len(all) == 0 {
		return Voter{ID: kafka.NoNode}
	}
	return all[ob.leader.turn%len(all)]
}

// seat is where a leader listens: as the answer says, else as the log or the configuration does.
func (ob *Observer) seat(leader kafka.NodeID, at []record.Endpoint) Voter {
	if len(at) == 0 {
		for _, v := range append(ob.voters.list(), ob.o.Seats...) {
			if v.ID == leader {
				return v
			}
		}
	}
	return Voter{ID: leader, Endpoints: at}
}

// silent is the end of a question that nobody answered.
func (ob *Observer) silent(asked uint64) {
	if asked == ob.asked && !ob.snaps.busy {
		ob.leader.known = false
		ob.leader.turn++
		ob.ask()
	}
}

// heard follows what an answer says of the leader; false when the question is an older one, or the answer an older leader's.
func (ob *Observer) heard(asked uint64, leader kafka.NodeID, at []record.Endpoint, epoch kafka.LeaderEpoch, err error) bool {
	if asked != ob.asked {
		return false
	}
	ob.timer.Stop()
	was, h := ob.leader, &ob.leader
	// An epoch that nobody is known to lead says nothing against a leader: somebody asked for votes in it, perhaps one who has none. And
	// nobody leads epoch 0.
	if leader != kafka.NoNode && epoch > 0 && (epoch > h.epoch || epoch == h.epoch && !h.known) {
		h.epoch, h.at, h.known = epoch, ob.seat(leader, at), true
		if was.at.ID != leader || was.epoch != epoch {
			ob.log("metadata leader", "leader", leader, "epoch", epoch)
		}
	}
	if err == nil && epoch >= was.epoch {
		return true
	}
	told := h.known && (!was.known || was.at.ID != h.at.ID || was.epoch != h.epoch)
	if !told {
		h.known = false
		h.turn++
	}
	ob.again(asked)
	return false
}

// again asks once more, after a moment.
func (ob *Observer) again(asked uint64) {
	ob.timer = ob.o.World.After(ob.o.Config.RetryBackoff, func() {
		ob.locked(func() {
			if asked == ob.asked {
				ob.ask()
			}
		})
	})
}

// pulled takes an answer to a Fetch.
func (ob *Observer) pulled(asked uint64, p Pulled, err error) {
	if !ob.heard(asked, p.Leader, p.LeaderAt, p.Epoch, err) {
		return
	}
	switch {
	case p.Snapshot != nil:
		err = ob.begin(*p.Snapshot, p.Epoch)
	case p.Diverging != nil:
		err = ob.truncate(*p.Diverging)
	default:
		err = ob.take(p)
	}
	if err != nil && fault.IsKind(err, fault.Corrupt) && len(p.Batches) > 0 {
		ob.log("metadata batches refused", "leader", p.Leader, "error", err)
		ob.again(asked) // damaged on the way, or the leader lies: nothing was taken
		return
	}
	if err != nil {
		ob.fail(err)
		return
	}
	ob.ask()
}

// truncate lets go of what the leader has not. What this node was shown as committed never goes: a leader that has not got
// it has lost it, or this is another log.
func (ob *Observer) truncate(to EpochEnd) error {
	pos := &ob.store.pos
	end := to.End
	if _, own, ok := pos.endOf(uint64(max(to.Epoch, 0))); ok {
		end = min(end, own)
	}
	if end < ob.committed || end < pos.start {
		return fault.Corruption("quorum.observe", "the leader's log is not this one from offset %d on, and everything below %d was committed: "+
			"metadata is lost there, or this directory is of another time", end, ob.committed)
	}
	if end >= pos.end() {
		return fault.Corruption("quorum.observe", "the leader says that the logs part at offset %d of epoch %d, this one ends at %d", to.End, to.Epoch, pos.end())
	}
	index, ok := pos.indexOf(end)
	if !ok {
		return fault.Corruption("quorum.observe", "no batch at offset %d", end)
	}
	ob.log("metadata log truncated", "offset", end, "was", pos.end())
	if err := ob.store.cut(index); err != nil {
		return fault.Storage("quorum.observe", err)
	}
	return nil
}

// take appends the batches of an answer. All of them are checked before the first is written.
func (ob *Observer) take(p Pulled) error {
	const op = "quorum.observe"
	next, term := ob.store.pos.end(), ob.store.pos.lastTerm()
	for _, b := range p.Batches {
		if err := checkBatch(b); err != nil {
			return err
		}
		if b.BaseOffset() != next || b.LeaderEpoch() < 0 || uint64(b.LeaderEpoch()) < term || b.LeaderEpoch() > p.Epoch {
			return fault.Corruption(op, "a batch at offset %d of epoch %d where offset %d was due, after epoch %d", b.BaseOffset(), b.LeaderEpoch(), next, term)
		}
		if isVoterChange(b) {
			if _, err := votersOf(b); err != nil {
				return err
			}
		}
		next, term = b.NextOffset(), uint64(b.LeaderEpoch())
	}
	now := ob.o.World.Now()
	for _, b := range p.Batches {
		if err := ob.store.put(now, uint64(b.LeaderEpoch()), b, isVoterChange(b)); err != nil {
			return fault.Storage(op, err)
		}
		ob.snaps.bytes += int64(len(b))
		if err := ob.store.noteKRaftVersion(b); err != nil {
			return err
		}
		if err := ob.noteVoters(b); err != nil {
			return err
		}
	}
	if to := min(p.HighWatermark, ob.store.pos.end()); to > ob.committed {
		ob.committed = to
		ob.wake()
	}
	if _, named := ob.voters.byKey(ob.o.Self); named && !ob.told && ob.committed >= p.HighWatermark && ob.o.Voting != nil {
		ob.told = true
		ob.later(ob.o.Voting)
	}
	return ob.maybeSnapshot()
}

// noteVoters follows KRAFT_VOTERS, in the first batch of the log, too.
func (ob *Observer) noteVoters(b record.Batch) error {
	if !b.IsControl() {
		return nil
	}
	return eachControl(b, func(t record.ControlType, value []byte) error {
		if t != record.ControlKRaftVoters {
			return nil
		}
		voters, err := record.ParseKRaftVoters(value)
		if err != nil {
			return err
		}
		set, err := newVoterSet(voters)
		if err == nil {
			ob.voters = set
		}
		return err
	})
}
