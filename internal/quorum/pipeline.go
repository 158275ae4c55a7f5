package quorum

import (
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/mutant"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/staterecord"
)

// engine runs Raft over the log. It takes what Raft asks for to the disk and to the other voters, and what is committed
// to the machine.
type engine struct {
	q      *Quorum
	node   *raft.RawNode
	store  *storage
	pipe   pipeline
	vote   election // as quorum-state has it, or will
	intake intake
}

// pipeline is what waits for the disk. One flush is under way at a time; whatever comes up meanwhile (entries, votes,
// and the responses that vouch for them) waits for the next one, which then serves all of it.
type pipeline struct {
	flushing  bool
	log       bool // the log has unsynced entries
	election  bool // quorum-state is to be replaced
	responses []*raftpb.Message
}

func (p *pipeline) dirty() bool { return p.log || p.election }

// pump takes one Ready after another from Raft until there is none, and starts a flush when one is due. While a flush
// is under way proposals gather, so that the next round is one batch for everybody; messages that vouch for nothing,
// heartbeats above all, keep flowing.
func (e *engine) pump() {
	for e.q.err == nil {
		e.q.lead.noteRole()
		e.q.lead.activate()
		if !e.pipe.flushing {
			e.q.lead.propose()
		}
		e.q.lead.advanceChange()
		e.q.lead.advanceHandover()
		if !e.node.HasReady() {
			break
		}
		e.handle(e.node.Ready())
		e.q.lead.adopt() // what made it an orphan is applied: only now may this voter campaign
		e.flush()
	}
}

// handle does what a Ready asks for: the entries go to the page cache, messages to others go out, what is committed
// and durable here is applied. Messages that Raft addresses to the storage say what is to be told after the flush.
func (e *engine) handle(rd raft.Ready) {
	if !raft.IsEmptySnap(rd.Snapshot) {
		if err := e.install(rd.Snapshot); err != nil {
			e.q.fail(err)
			return
		}
	}
	if err := e.append(rd.Entries); err != nil {
		e.q.fail(err)
		return
	}
	if !raft.IsEmptyHardState(rd.HardState) {
		e.noteVote(rd.HardState)
	}
	e.q.reads.confirmed(e.q, rd.ReadStates)
	for _, m := range rd.Messages {
		switch m.GetTo() {
		case raft.LocalAppendThread:
			e.pipe.responses = append(e.pipe.responses, m.GetResponses()...)
		case raft.LocalApplyThread:
			e.commit(m.GetEntries())
			e.deliver(m.GetResponses())
		default:
			e.send(m)
		}
	}
}

// flush starts a flush of what is dirty, or tells what waits for nothing.
func (e *engine) flush() {
	if e.q.err != nil || e.pipe.flushing {
		return
	}
	if e.pipe.election && e.q.voters.alone(e.q.self) {
		// A lone voter asks nobody for a vote, and its epoch is in its log before anything is answered in it.
		e.pipe.election = false
		e.q.o.Flusher.Flush([]disk.Syncer{e.electionFile()}, e.onFlush(func() {}))
	}
	responses := e.pipe.responses
	e.pipe.responses = nil
	if mutant.On(mutant.EntriesBeforeFlush) {
		e.deliver(responses)
		responses = nil
	}
	if !e.pipe.dirty() {
		e.deliver(responses)
		return
	}
	var targets []disk.Syncer
	var upTo kafka.Offset
	if e.pipe.log {
		targets, upTo = e.store.log.Dirty()
	}
	if e.pipe.election {
		targets = append(targets, e.electionFile())
	}
	e.pipe = pipeline{flushing: true}
	e.q.o.Flusher.Flush(targets, e.onFlush(func() {
		e.pipe.flushing = false
		if upTo > 0 {
			e.store.log.Flushed(upTo)
		}
		e.deliver(responses)
		e.flush()
	}))
}

// onFlush is a flush's callback: back under the mutex, give up on an error, else go on.
func (e *engine) onFlush(next func()) func(error) {
	return func(err error) {
		e.q.locked(func() {
			switch {
			case e.q.err != nil:
			case err != nil:
				e.q.fail(fault.Storage("quorum.flush", err))
			default:
				next()
			}
		})
	}
}

// deliver hands over messages whose entries and votes are durable: to Raft itself, or to others.
func (e *engine) deliver(msgs []*raftpb.Message) {
	for _, m := range msgs {
		if m.GetTo() != e.q.self.raft {
			e.send(m)
			continue
		}
		_ = e.node.Step(m) // only proposals and foreign messages are refused
	}
}

// append writes entries to the log. An entry at an index that the log has replaces it and all after it.
func (e *engine) append(entries []*raftpb.Entry) error {
	now := e.q.o.World.Now()
	for _, entry := range entries {
		if entry.GetIndex() < e.store.pos.next() {
			offset, _ := e.store.pos.offsetOf(entry.GetIndex())
			must.Hold(offset >= e.q.committed, "entry %d replaces a committed one", entry.GetIndex())
			if err := e.store.cut(entry.GetIndex()); err != nil {
				return err
			}
		}
		must.Hold(entry.GetIndex() == e.store.pos.next(), "entry %d after %d", entry.GetIndex(), e.store.pos.next()-1)
		b, err := e.batchFor(now, entry)
		if err != nil {
			return err
		}
		if err := e.store.put(now, entry.GetTerm(), b, entry.GetType() != raftpb.EntryNormal); err != nil {
			return err
		}
		e.pipe.log = true
	}
	return nil
}

// batchFor is the batch that stands for an entry in the log, the same on every voter. Raft's empty entry comes from
// this node itself, elected: it becomes LEADER_CHANGE, and travels to the others as these bytes. A proposal that was
// made for another place becomes a no-op record, since what it decided may name its offset; a membership change names
// none and is moved.
func (e *engine) batchFor(now kafka.Instant, entry *raftpb.Entry) (record.Batch, error) {
	end, epoch := e.store.pos.end(), kafka.LeaderEpoch(entry.GetTerm())
	must.Hold(uint64(epoch) == entry.GetTerm() && epoch >= 0, "term %d does not fit a leader epoch", entry.GetTerm())
	if len(entry.GetData()) == 0 {
		return e.leaderChange(now, end, epoch), nil
	}
	b, err := batchOf(entry)
	if err != nil || b.BaseOffset() == end && b.LeaderEpoch() == epoch {
		return b, err
	}
	if entry.GetType() == raftpb.EntryNormal {
		return dataBatch(end, epoch, b.MaxTimestamp(), [][]byte{encodeRecord(&staterecord.NoOp{}, 0)}), nil
	}
	moved := append(record.Batch(nil), b...)
	moved.SetBaseOffset(end)
	moved.SetLeaderEpoch(epoch)
	return moved, nil
}

// leaderChange is the batch that a new leader's log begins its epoch with. As on Kafka the very first one repeats
// kraft.version and the voters from the bootstrap snapshot, so that whoever reads the log alone finds them.
func (e *engine) leaderChange(now kafka.Instant, at kafka.Offset, epoch kafka.LeaderEpoch) record.Batch {
	voters := e.q.voters
	change := record.LeaderChange{Leader: e.q.self.ID, Voters: voters.list(), Milena: true}
	for _, m := range voters {
		if m.raft == e.q.self.raft || e.q.peers.term == uint64(epoch) && e.q.peers.granted[m.raft] {
			change.Granting = append(change.Granting, m.Voter)
		}
	}
	controls := []record.ControlRecord{{Type: record.ControlLeaderChange, Value: change.Append(nil)}}
	if at == 0 && e.q.kraft >= kraftDynamic {
		controls = append(controls, versionRecord(), votersRecord(voters))
	}
	return record.NewControl(at, epoch, now.WallMs, controls...)
}

// noteVote remembers an epoch or a vote that has to reach the disk before it is spoken of.
func (e *engine) noteVote(h *raftpb.HardState) {
	next := election{leader: e.q.voters.node(e.q.lead.role.lead), epoch: kafka.LeaderEpoch(h.GetTerm()), voted: kafka.NoNode}
	switch h.GetVote() {
	case raft.None:
	case (Key{e.vote.voted, e.vote.votedDirectory}).RaftID(): // perhaps of a voter that was removed since
		next.voted, next.votedDirectory = e.vote.voted, e.vote.votedDirectory
	default:
		m, ok := e.q.voters.byRaftID(h.GetVote())
		if !ok { // perhaps of one that came since, and asked
			m.Voter, ok = e.q.peers.stranger(h.GetVote())
		}
		must.Hold(ok, "a vote for Raft id %d, which is no voter", h.GetVote())
		next.voted, next.votedDirectory = m.ID, m.Directory
	}
	if next.epoch == e.vote.epoch && next.voted == e.vote.voted && next.votedDirectory == e.vote.votedDirectory {
		return // only the commit index moved: Raft finds it again
	}
	e.vote = next
	e.pipe.election = !mutant.On(mutant.VoteNotSynced)
}

func (e *engine) electionFile() disk.Syncer {
	return stateReplacement{e.q.o.FS, e.q.o.Dir, string(e.vote.encode(e.q.kraft, e.q.voters))}
}
