package quorum

import (
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
)

// Messages of the wrong cluster, member or incarnation are refused by name, and change nothing.
func TestMessagesThatAreNotForThisVoterAreRefused(t *testing.T) {
	c := newCluster(t, 1, 3, Config{})
	leader := c.awaitLeader()
	c.w.Run(time.Second)
	nd := c.nodes[leader.key.NodeID%3]
	_, epoch := nd.q.Leader()
	stranger := Key{leader.key.NodeID, kafka.DirectoryID{42}}
	newer := uint64(epoch) + 5
	message := func(from Key, kind raftpb.MessageType) []byte {
		return must.Get(proto.Marshal(&raftpb.Message{Type: kind.Enum(), From: new(from.RaftID()), To: new(nd.key.RaftID()), Term: new(newer)}))
	}
	for _, q := range []struct {
		name string
		env  Envelope
		kind raftpb.MessageType
		want kafka.ErrorCode
	}{
		{"another cluster", Envelope{"other", leader.key, nd.key}, raftpb.MsgHeartbeat, kafka.ErrInconsistentClusterId},
		{"another directory", Envelope{"", leader.key, Key{nd.key.NodeID, kafka.DirectoryID{7}}}, raftpb.MsgHeartbeat, kafka.ErrInvalidVoterKey},
		{"a forged sender", Envelope{"", c.nodes[0].key, nd.key}, raftpb.MsgHeartbeat, kafka.ErrInvalidVoterKey},
		{"a twin of this node", Envelope{"", Key{nd.key.NodeID, kafka.DirectoryID{7}}, nd.key}, raftpb.MsgVote, kafka.ErrDuplicateVoter},
		{"a voter with a new directory", Envelope{"", stranger, nd.key}, raftpb.MsgVote, kafka.ErrInvalidVoterKey},
		{"a candidate that is no voter", Envelope{"", Key{8, kafka.DirectoryID{8}}, nd.key}, raftpb.MsgPreVote, kafka.ErrVoterNotFound},
		{"a response of nobody", Envelope{"", Key{8, kafka.DirectoryID{8}}, nd.key}, raftpb.MsgAppResp, kafka.ErrVoterNotFound},
	} {
		from := q.env.From
		if q.name == "a forged sender" {
			from = Key{77, kafka.DirectoryID{77}}
		}
		if err := nd.q.Receive(q.env, message(from, q.kind)); fault.CodeOf(err) != q.want {
			t.Errorf("%s: %v, want %v", q.name, err, q.want)
		}
	}
	if _, now := nd.q.Leader(); now != epoch || nd.failed != nil {
		t.Fatalf("epoch %d became %d, failed %v", epoch, now, nd.failed)
	}
}

// A candidate that this voter's log doesn't name is one all the same if its log goes on after what this voter has applied: it was added
// after that. Told that it is no voter, it gave its vote up, and the quorum may have needed it (simulation seed 1795352761939). The same
// holds of a node that this log names under another directory, which was replaced since. Whose log ends there knows no better.
func TestACandidateWhoseLogIsAheadMayHaveBecomeAVoterSince(t *testing.T) {
	c := newCluster(t, 1, 3, Config{})
	leader := c.awaitLeader()
	c.w.Run(time.Second)
	nd := c.nodes[leader.key.NodeID%3]
	applied := nd.q.engine.node.BasicStatus().Applied
	term := must.Get(nd.q.engine.store.Term(applied))
	for _, q := range []struct {
		name        string
		term, index uint64
		may         bool
	}{
		{"further", term, applied + 7, true},
		{"a little further", term, applied + 1, true},
		{"of a later epoch", term + 1, 1, true},
		{"as far as what is applied", term, applied, false},
		{"behind", term, applied - 1, false},
		{"of an earlier epoch", term - 1, applied + 7, false},
	} {
		for from, refused := range map[Key]kafka.ErrorCode{
			{8, kafka.DirectoryID{8}}:                 kafka.ErrVoterNotFound,
			{leader.key.NodeID, kafka.DirectoryID{8}}: kafka.ErrInvalidVoterKey,
		} {
			if q.may {
				refused = kafka.ErrNone
			}
			if err := nd.q.Receive(Envelope{"", from, nd.key}, candidate(raftpb.MsgPreVote, from, nd.key, term+9, q.term, q.index)); fault.CodeOf(err) != refused {
				t.Errorf("a log %s, of %s: %v, want %v", q.name, from, err, refused)
			}
		}
	}
}

// candidate is the message of one whose log ends with an entry of a term.
func candidate(kind raftpb.MessageType, from, to Key, term, lastTerm, last uint64) []byte {
	return must.Get(proto.Marshal(&raftpb.Message{Type: kind.Enum(), From: new(from.RaftID()), To: new(to.RaftID()),
		Term: new(term), LogTerm: new(lastTerm), Index: new(last)}))
}

// However many voters have come and gone in the life of this process, or said that they did, the next one is answered and given a vote.
func TestAVoterMeetsManyStrangers(t *testing.T) {
	c := newCluster(t, 1, 3, Config{})
	leader := c.awaitLeader()
	c.w.Run(time.Second)
	nd := c.nodes[leader.key.NodeID%3]
	for _, other := range c.nodes {
		if other != nd {
			other.proc.Kill()
		}
	}
	if !c.w.RunUntil(time.Minute, func() bool { l, _ := nd.q.Leader(); return l == kafka.NoNode }) {
		t.Fatal("a leader that is dead is not missed")
	}
	_, epoch := nd.q.Leader()
	for i := range 3 * maxStrangers {
		from, term := Key{kafka.NodeID(100 + i), kafka.DirectoryID{1, byte(i)}}, uint64(epoch)+uint64(i)+1
		if err := nd.q.Receive(Envelope{"", from, nd.key}, candidate(raftpb.MsgVote, from, nd.key, term, uint64(epoch), 1<<40)); err != nil {
			t.Fatalf("%s: %v", from, err)
		}
		if got := nd.q.Describe().Vote; got != from.NodeID {
			t.Fatalf("the vote of epoch %d went to %d, not to %s", term, got, from)
		}
	}
	if n := len(nd.q.peers.strangers); n != maxStrangers {
		t.Errorf("%d strangers are remembered", n)
	}
}

// A leader that knows of an acknowledgement which this voter's log has lost is told so, and Raft never sees it.
func TestAVoterThatLostWhatItAcknowledgedGivesUp(t *testing.T) {
	c := newCluster(t, 2, 3, Config{})
	leader := c.awaitLeader()
	c.w.Run(time.Second)
	nd := c.nodes[leader.key.NodeID%3]
	end := nd.q.engine.store.pos.next()
	b := must.Get(proto.Marshal(&raftpb.Message{Type: raftpb.MsgHeartbeat.Enum(), From: new(leader.key.RaftID()), To: new(nd.key.RaftID()),
		Term: new(leader.q.lead.role.term), Commit: new(end + 3)}))
	err := nd.q.Receive(Envelope{From: leader.key, To: nd.key}, b)
	if !fault.IsKind(err, fault.Corrupt) || !fault.IsKind(nd.failed, fault.Corrupt) {
		t.Fatalf("%v, failed %v", err, nd.failed)
	}
	h := newHistory(c)
	h.submit(leader)
	c.w.Run(5 * time.Second)
	if len(h.acked) != 1 {
		t.Fatal("the others do not go on")
	}
}

// counted counts the flushes of a voter.
type counted struct {
	Flusher
	n *int
}

func (f counted) Flush(targets []disk.Syncer, done func(error)) {
	*f.n++
	f.Flusher.Flush(targets, done)
}

func TestManyRecordsShareAnEntryAndAFlushOnEveryVoter(t *testing.T) {
	c := newCluster(t, 3, 3, Config{IdleInterval: -1})
	leader := c.awaitLeader()
	c.w.Run(time.Second)
	flushes := make([]int, len(c.nodes))
	for i, nd := range c.nodes {
		nd.q.o.Flusher = counted{nd.q.o.Flusher, &flushes[i]}
	}
	before := leader.q.engine.store.pos.next()
	h := newHistory(c)
	for range 1000 {
		h.submit(leader)
	}
	c.w.Run(time.Second)
	entries := leader.q.engine.store.pos.next() - before
	if len(h.acked) != 1000 || entries > 2 {
		t.Fatalf("%d acknowledged in %d entries", len(h.acked), entries)
	}
	for i, n := range flushes {
		if n < 1 || uint64(n) > entries {
			t.Errorf("node %d flushed %d times for %d entries", i+1, n, entries)
		}
	}
}
