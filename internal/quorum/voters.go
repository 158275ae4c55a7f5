package quorum

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
)

// Voter is one member of the quorum as KRAFT_VOTERS names it.
type Voter = record.Voter

// Key identifies a voter for ever: a node whose metadata directory was wiped is another voter.
type Key struct {
	NodeID      kafka.NodeID
	DirectoryID kafka.DirectoryID
}

// String names the key in few letters, id-directory.
func (k Key) String() string { return fmt.Sprintf("%d-%s", k.NodeID, kafka.UUID(k.DirectoryID)) }

// words are the key as Kafka's refusals name it.
func (k Key) words() string {
	return fmt.Sprintf("ReplicaKey(id=%d, directoryId=%s)", k.NodeID, kafka.UUID(k.DirectoryID))
}

// RaftID is the id under which Raft knows the voter. It is computed from the key, so that it needs no place in Kafka's
// formats, is the same on every node, also for voters that Kafka wrote, and is never given to another: directory ids
// are random and never come back. Two voters of one id are refused when a set is made.
func (k Key) RaftID() uint64 {
	h := fnv.New64a()
	_ = binary.Write(h, binary.BigEndian, k.NodeID) // a hash takes everything
	_, _ = h.Write(k.DirectoryID[:])
	return h.Sum64()>>1 | 1 // never 0, which is nobody, nor the library's ids at the top
}

// member is a voter and its ids.
type member struct {
	Voter
	key  Key
	raft uint64
}

// voterSet is the membership in one KRAFT_VOTERS record, ascending by node id.
type voterSet []member

// newVoterSet sorts the voters and refuses two of one id.
func newVoterSet(voters []Voter) (voterSet, error) {
	const op = "quorum.voters"
	var s voterSet
	for _, v := range voters {
		k := Key{v.ID, v.Directory}
		if v.ID < 0 {
			return nil, fault.New(op, kafka.ErrInvalidRequest, "voter %s has no node id", k)
		}
		if other, ok := s.byRaftID(k.RaftID()); ok {
			return nil, fault.New(op, kafka.ErrInvalidRequest, "voters %s and %s have the same Raft id", other.key, k)
		}
		s = append(s, member{v, k, k.RaftID()})
	}
	slices.SortFunc(s, func(a, b member) int { return int(a.ID) - int(b.ID) })
	for i := range s {
		if i > 0 && s[i-1].ID == s[i].ID {
			return nil, fault.New(op, kafka.ErrInvalidRequest, "node %d is listed as a voter twice", s[i].ID)
		}
	}
	return s, nil
}

// list returns the voters as the record has them.
func (s voterSet) list() []Voter {
	out := make([]Voter, len(s))
	for i, m := range s {
		out[i] = m.Voter
	}
	return out
}

func (s voterSet) byKey(k Key) (member, bool) {
	for _, m := range s {
		if m.key == k {
			return m, true
		}
	}
	return member{}, false
}

func (s voterSet) byRaftID(id uint64) (member, bool) {
	for _, m := range s {
		if m.raft == id {
			return m, true
		}
	}
	return member{}, false
}

// String lists the voters.
func (s voterSet) String() string {
	names := make([]string, len(s))
	for i, m := range s {
		names[i] = m.key.String()
	}
	return "[" + strings.Join(names, ", ") + "]"
}

// words are the set as Kafka's refusals name it.
func (s voterSet) words() string {
	names := make([]string, len(s))
	for i, m := range s {
		names[i] = m.key.words()
	}
	return "[" + strings.Join(names, ", ") + "]"
}

// node names the voter of a Raft id, NoNode when there is none.
func (s voterSet) node(raftID uint64) kafka.NodeID {
	if m, ok := s.byRaftID(raftID); ok {
		return m.ID
	}
	return kafka.NoNode
}

// alone reports whether the voter is the only one.
func (s voterSet) alone(m member) bool { return len(s) == 1 && s[0].raft == m.raft }

func (s voterSet) confState() *raftpb.ConfState {
	cs := &raftpb.ConfState{}
	for _, m := range s {
		cs.Voters = append(cs.Voters, m.raft)
	}
	slices.Sort(cs.Voters)
	return raftpb.EnsureConfState(cs)
}

// changeTo is the Raft change that leads from one set to the next: at most one voter comes or goes at a time, and a
// record that only names new endpoints changes nothing for Raft.
func (s voterSet) changeTo(to voterSet) (*raftpb.ConfChangeV2, error) {
	var changes []*raftpb.ConfChangeSingle
	for _, m := range s {
		if _, ok := to.byRaftID(m.raft); !ok {
			changes = append(changes, &raftpb.ConfChangeSingle{Type: raftpb.ConfChangeRemoveNode.Enum(), NodeId: new(m.raft)})
		}
	}
	for _, m := range to {
		if _, ok := s.byRaftID(m.raft); !ok {
			changes = append(changes, &raftpb.ConfChangeSingle{Type: raftpb.ConfChangeAddNode.Enum(), NodeId: new(m.raft)})
		}
	}
	switch len(changes) {
	case 0:
		return nil, nil
	case 1:
		return &raftpb.ConfChangeV2{Changes: changes}, nil
	}
	return nil, fault.Corruption("quorum.voters", "KRAFT_VOTERS changes %d voters at once", len(changes))
}

// sameNodes reports whether both are of the same nodes, wherever these listen and whatever their directories.
func (s voterSet) sameNodes(other voterSet) bool {
	return slices.EqualFunc(s, other, func(a, b member) bool { return a.ID == b.ID })
}

// lastChange is the last change of the voters in a log. It is known to be committed where a leader after it says in its LEADER_CHANGE
// that it counts by these voters, for it counts by what it has applied. That it had applied an older list that says the same is ruled out:
// whoever has a change in its log knows the change before as committed.
type lastChange struct {
	before, to voterSet
	applied    bool
}

// note looks at the next batch of the log.
func (c *lastChange) note(b record.Batch) error {
	if isVoterChange(b) {
		to, err := votersOf(b)
		*c = lastChange{before: c.to, to: to}
		return err
	}
	if !b.IsControl() {
		return nil
	}
	t, value, err := b.Control()
	if err != nil || t != record.ControlLeaderChange {
		return err
	}
	leader, err := record.ParseLeaderChange(value)
	if err != nil || !leader.Milena { // Kafka's leaders count by what they have not applied yet
		return err
	}
	named, err := newVoterSet(leader.Voters)
	c.applied = c.applied || named.sameNodes(c.to) && !named.sameNodes(c.before)
	return err
}
