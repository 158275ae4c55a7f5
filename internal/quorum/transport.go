package quorum

import (
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// send hands a message to the transport. A message may be lost: Raft repeats it.
func (e *engine) send(m *raftpb.Message) {
	to, ok := e.q.voters.byRaftID(m.GetTo())
	if !ok {
		if to.Voter, ok = e.q.peers.stranger(m.GetTo()); !ok {
			return // removed meanwhile
		}
	}
	if m, ok = e.filled(m); !ok {
		return
	}
	e.q.reads.proof(m)
	b := must.Get(proto.Marshal(m))
	e.q.later(func() { e.q.o.Send(to.Voter, b) })
}

// filled puts the log's bytes in the place of this leader's empty entries: what travels is always a batch. Not ok when
// the entry was replaced since the message was made.
func (e *engine) filled(m *raftpb.Message) (*raftpb.Message, bool) {
	var out *raftpb.Message
	for i, entry := range m.GetEntries() {
		if len(entry.GetData()) > 0 || m.GetType() != raftpb.MsgApp {
			continue
		}
		stored, err := e.store.Entries(entry.GetIndex(), entry.GetIndex()+1, readBytes)
		if err != nil || stored[0].GetTerm() != entry.GetTerm() {
			return nil, false
		}
		if out == nil {
			out = proto.CloneOf(m)
		}
		out.Entries[i] = stored[0]
	}
	if out != nil {
		return out, true
	}
	return m, true
}

// Receive takes a message that another voter sent, as the envelope names it. An error means that the message was refused;
// after one that shows this voter to have lost what it acknowledged, the quorum has failed.
func (q *Quorum) Receive(env Envelope, b []byte) error {
	m, err := decodeMessage(b)
	if err != nil {
		return err
	}
	q.locked(func() {
		if err = q.err; err != nil {
			return
		}
		if err = q.addressed(env, m); err != nil {
			return
		}
		if err = q.engine.admit(m); err != nil {
			return
		}
		now := q.o.World.Now()
		if q.lead.gone.says(m, now) {
			return
		}
		q.clock.unheard = 0
		q.peers.heard(m, now, q.engine.store.pos.next()-1)
		if m.GetType() == raftpb.MsgSnap {
			m = q.engine.intake.hear(m)
		}
		_ = q.engine.node.Step(m) // refused: a response from somebody who is no member any more
		q.engine.intake.present()
	})
	return err
}

// AsksForVote reports whether a message is a candidate's. Whoever observes and is sent one is a voter by what was committed
// since: its vote may be needed before a leader can tell it, and so it has to open a Quorum. What a leader sends it can
// wait for: the observer pulls all that, and learns from the log that it votes.
func AsksForVote(b []byte) bool {
	m, err := decodeMessage(b)
	return err == nil && candidates(m)
}

// candidates reports whether a message is a candidate's.
func candidates(m *raftpb.Message) bool {
	return m.GetType() == raftpb.MsgVote || m.GetType() == raftpb.MsgPreVote
}

// decodeMessage parses a message and checks everything that the Raft library takes on trust.
func decodeMessage(b []byte) (*raftpb.Message, error) {
	const op = "quorum.Receive"
	m := &raftpb.Message{}
	if err := proto.Unmarshal(b, m); err != nil {
		return nil, fault.Corruption(op, "not a Raft message: %v", err)
	}
	if m.GetTerm() > 1<<31-1 || m.GetLogTerm() > m.GetTerm() || m.GetIndex() > 1<<62 || m.GetCommit() > 1<<62 {
		return nil, fault.Corruption(op, "%v of term %d after term %d, index %d, commit %d", m.GetType(), m.GetTerm(), m.GetLogTerm(), m.GetIndex(), m.GetCommit())
	}
	bad := func() (*raftpb.Message, error) {
		return nil, fault.Corruption(op, "a %v message with %d entries, %d bytes of context", m.GetType(), len(m.GetEntries()), len(m.GetContext()))
	}
	switch m.GetType() {
	case raftpb.MsgApp:
		return m, checkEntries(m)
	case raftpb.MsgSnap:
		if m.GetSnapshot().GetMetadata().GetConfState() == nil || m.GetTerm() == 0 {
			return bad()
		}
	case raftpb.MsgHeartbeat, raftpb.MsgHeartbeatResp:
		if n := len(m.GetContext()); n != 0 && n != 8 || m.GetTerm() == 0 {
			return bad()
		}
	case raftpb.MsgReadIndex, raftpb.MsgReadIndexResp:
		if len(m.GetEntries()) != 1 || m.GetType() == raftpb.MsgReadIndex && m.GetTerm() != 0 { // who passes a question on puts no term in it
			return bad()
		}
	case raftpb.MsgVote, raftpb.MsgVoteResp, raftpb.MsgPreVote, raftpb.MsgPreVoteResp, raftpb.MsgAppResp, raftpb.MsgTimeoutNow:
		if len(m.GetEntries()) != 0 || m.GetTerm() == 0 {
			return bad()
		}
	default:
		return bad()
	}
	if m.GetType() != raftpb.MsgSnap && m.GetSnapshot() != nil || len(m.GetResponses()) > 0 {
		return bad()
	}
	return m, nil
}

// checkEntries holds the entries of an append to what they must be: adjacent, in rising terms, each one whole batch
// whose checksum is right.
func checkEntries(m *raftpb.Message) error {
	const op = "quorum.Receive"
	term := m.GetLogTerm()
	if m.GetTerm() == 0 || m.GetSnapshot() != nil || len(m.GetResponses()) > 0 {
		return fault.Corruption(op, "an append of term %d", m.GetTerm())
	}
	for i, e := range m.GetEntries() {
		if e.GetIndex() != m.GetIndex()+1+uint64(i) || e.GetTerm() < term || e.GetTerm() > m.GetTerm() {
			return fault.Corruption(op, "entry %d of term %d at place %d of an append after entry %d of term %d",
				e.GetIndex(), e.GetTerm(), i, m.GetIndex(), m.GetLogTerm())
		}
		term = e.GetTerm()
		b, err := batchOf(e)
		if err != nil {
			return err
		}
		if err := checkBatch(b); err != nil {
			return err
		}
		if e.GetType() == raftpb.EntryConfChangeV2 {
			if _, err := votersOf(b); err != nil {
				return err
			}
		}
	}
	return nil
}

// admit refuses what would make the library panic: a committed entry contradicted, and above all a leader
// that knows this voter to hold entries which its log has not.
func (e *engine) admit(m *raftpb.Message) error {
	const op = "quorum.Receive"
	last := e.store.pos.next() - 1
	if m.GetTerm() != 0 && m.GetTerm() < e.q.lead.role.term {
		return nil // late: Raft ignores it
	}
	switch m.GetType() {
	case raftpb.MsgHeartbeat:
		if m.GetCommit() > last {
			err := fault.Corruption(op, "node %d leads epoch %d and knows that this voter acknowledged entry %d, but the log ends at "+
				"entry %d, offset %d: acknowledged metadata is lost here; remove this voter, delete its metadata directory and add it again",
				e.q.voters.node(m.GetFrom()), m.GetTerm(), m.GetCommit(), last, e.store.pos.end())
			e.q.fail(err)
			return err
		}
	case raftpb.MsgHeartbeatResp:
		if m.GetTerm() == e.q.lead.role.term && e.q.reads.unasked(m) {
			return fault.Corruption(op, "node %d confirms reads that this voter did not ask it to confirm", e.q.voters.node(m.GetFrom()))
		}
	case raftpb.MsgApp:
		commit := e.node.BasicStatus().GetCommit()
		for _, entry := range m.GetEntries() {
			if entry.GetIndex() > commit {
				break
			}
			if t, err := e.store.Term(entry.GetIndex()); err == nil && t != entry.GetTerm() {
				return fault.Corruption(op, "node %d sends entry %d of term %d, committed here with term %d", e.q.voters.node(m.GetFrom()), entry.GetIndex(), entry.GetTerm(), t)
			}
		}
	case raftpb.MsgSnap:
		return e.intake.admit(m)
	case raftpb.MsgReadIndex:
		if e.q.lead.role.term == 0 {
			return fault.New(op, kafka.ErrNotController, "no leader yet")
		}
	}
	return nil
}

// checkBatch holds bytes to be exactly one batch, without holes, with a right checksum.
func checkBatch(b []byte) error {
	batch, err := record.Parse(b)
	if err != nil {
		return err
	}
	if batch.Count() != batch.LastOffsetDelta()+1 {
		return fault.Corruption("quorum.entry", "a batch of %d records in %d offsets", batch.Count(), batch.LastOffsetDelta()+1)
	}
	return batch.CheckCRC()
}
