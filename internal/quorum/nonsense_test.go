package quorum

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/milena-io/milena/internal/must"
)

// What a voter is told may be nonsense: another one's bug, or somebody who isn't who he says. Every message that decodes is refused or
// taken, whatever its numbers are, and the process goes on: the library takes most of them on trust, and panics.
func TestNoMessageEndsAVoter(t *testing.T) {
	for seed := range uint64(150) {
		c := newCluster(t, seed, 3, Config{})
		c.moving = true // what is refused doesn't end the test
		leader := c.awaitLeader()
		for range 5 {
			leader.q.Submit(put{"a", "b", 1}, func(Reply, error) {})
			c.w.Run(50 * time.Millisecond)
		}
		for range 60 {
			to, from := c.nodes[c.w.Rand().IntN(3)], c.nodes[c.w.Rand().IntN(3)]
			if to != from {
				_ = to.q.Receive(Envelope{"", from.key, to.key}, nonsense(c, from, to))
			}
			c.w.Run(time.Duration(c.w.Rand().IntN(20)) * time.Millisecond)
		}
		c.w.Run(time.Second)
	}
}

// nonsense is a message of any type whose numbers are near the right ones.
func nonsense(c *cluster, from, to *simNode) []byte {
	r, st := c.w.Rand(), to.q.engine.node.BasicStatus()
	types := [...]raftpb.MessageType{raftpb.MsgApp, raftpb.MsgAppResp, raftpb.MsgVote, raftpb.MsgVoteResp, raftpb.MsgSnap, raftpb.MsgHeartbeat,
		raftpb.MsgHeartbeatResp, raftpb.MsgReadIndex, raftpb.MsgReadIndexResp, raftpb.MsgPreVote, raftpb.MsgPreVoteResp, raftpb.MsgTimeoutNow}
	term, at := st.GetTerm(), st.GetCommit()
	m := &raftpb.Message{Type: types[r.IntN(len(types))].Enum(), From: new(from.key.RaftID()), To: new(to.key.RaftID()),
		Term: new(term), LogTerm: new(near(r, term)), Index: new(near(r, at)), Commit: new(near(r, at))}
	if r.IntN(3) == 0 {
		m.Term = new(near(r, term))
	}
	if r.IntN(2) == 0 {
		m.Reject, m.RejectHint = new(true), new(near(r, at))
	}
	switch m.GetType() {
	case raftpb.MsgHeartbeat, raftpb.MsgHeartbeatResp:
		if r.IntN(2) == 0 {
			m.Context = binary.LittleEndian.AppendUint64(nil, near(r, 2))
		}
	case raftpb.MsgReadIndex, raftpb.MsgReadIndexResp:
		m.Entries = []*raftpb.Entry{{Data: make([]byte, r.IntN(10))}}
		if r.IntN(2) == 0 {
			m.Term = nil
		}
	case raftpb.MsgSnap:
		m.Snapshot = from.q.engine.store.snap.offered()
		m.Snapshot.Metadata.Index, m.Snapshot.Metadata.Term = new(near(r, at)), new(near(r, term))
	case raftpb.MsgApp:
		if es, err := from.q.engine.store.Entries(m.GetIndex()+1, m.GetIndex()+1+uint64(r.IntN(3)), readBytes); err == nil && r.IntN(2) == 0 {
			m.Entries = es
		}
	}
	return must.Get(proto.Marshal(m))
}

// near is a number that may have been x.
func near(r *rand.Rand, x uint64) uint64 {
	return [...]uint64{0, x, x + 1, max(x, 1) - 1, x + uint64(r.IntN(10)), uint64(r.IntN(int(x) + 1)), 1 << 31, x}[r.IntN(8)]
}

// A leader is told that reads are confirmed which it never asked for, by as many as it takes.
func TestReadsThatNobodyAskedForAreNotConfirmed(t *testing.T) {
	c := newCluster(t, 1, 3, Config{})
	leader := c.awaitLeader()
	st := leader.q.engine.node.BasicStatus()
	for _, nd := range c.nodes {
		if nd == leader {
			continue
		}
		b := must.Get(proto.Marshal(&raftpb.Message{Type: raftpb.MsgHeartbeatResp.Enum(), From: new(nd.key.RaftID()), To: new(leader.key.RaftID()),
			Term: new(st.GetTerm()), Context: binary.LittleEndian.AppendUint64(nil, 1<<40)}))
		if err := leader.q.Receive(Envelope{"", nd.key, leader.key}, b); err == nil {
			t.Errorf("node %d was believed", nd.key.NodeID)
		}
	}
	confirmed := false
	leader.q.ReadBarrier(func(err error) { confirmed = err == nil })
	if !c.w.RunUntil(time.Second, func() bool { return confirmed }) {
		t.Error("a read is not confirmed any more")
	}
}
