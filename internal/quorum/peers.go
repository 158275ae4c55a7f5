package quorum

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"

	"github.com/milena-io/milena/internal/kafka"
)

// peers is what a leader remembers of the others for DescribeQuorum: voters by the messages they send, observers by
// the fetches that the controller listener reports.
type peers struct {
	voters    map[uint64]*peer
	observers map[Key]*peer
	strangers []member        // who sent what only a voter sends, and is none as far as this log goes; the newest last
	granted   map[uint64]bool // voters that elected this leader, itself included
	term      uint64          // of granted
}

type peer struct {
	fetchMs    int64 // wall clock; -1 for never
	caughtUpMs int64
	heard      time.Duration // of a voter, monotonic
	caughtUp   time.Duration // of an observer, monotonic; 0 for never
	end        kafka.Offset
	stuck      int // ticks that its snapshot has been under way
}

// caughtUp reports whether an observer had all that was committed not long ago.
func (p *peers) caughtUp(k Key, o Options) bool {
	v := p.observers[k]
	return v != nil && v.caughtUp > 0 && o.World.Now().Mono-v.caughtUp <= o.Config.ElectionTimeout
}

// hears reports whether a voter was heard of within an election timeout. (Raft counts that anew with each, and for a moment nobody is.)
func (p *peers) hears(id uint64, o Options) bool {
	v := p.voters[id]
	return v != nil && o.World.Now().Mono-v.heard <= o.Config.patience()
}

// meet remembers a voter that this voter's log does not name yet, so that it can be answered, and given a vote. The oldest is forgotten.
func (p *peers) meet(k Key) {
	id := k.RaftID()
	p.known(id)
	if len(p.strangers) == maxStrangers {
		p.strangers = slices.Delete(p.strangers, 0, 1)
	}
	p.strangers = append(p.strangers, member{Voter{ID: k.NodeID, Directory: k.DirectoryID}, k, id})
}

// known forgets a stranger.
func (p *peers) known(raftID uint64) {
	p.strangers = slices.DeleteFunc(p.strangers, func(m member) bool { return m.raft == raftID })
}

// stranger is one of those who were met.
func (p *peers) stranger(raftID uint64) (Voter, bool) {
	m, ok := voterSet(p.strangers).byRaftID(raftID)
	return m.Voter, ok
}

// maxStrangers bounds what others can make this voter remember.
const maxStrangers = 16

func (p *peers) reset(kafka.Instant) {
	p.voters, p.observers = map[uint64]*peer{}, map[Key]*peer{}
}

// heard notes a message of a voter. last is the newest entry of this log.
func (p *peers) heard(m *raftpb.Message, now kafka.Instant, last uint64) {
	switch m.GetType() {
	case raftpb.MsgVoteResp:
		if p.term != m.GetTerm() {
			p.term, p.granted = m.GetTerm(), map[uint64]bool{}
		}
		if !m.GetReject() {
			p.granted[m.GetFrom()] = true
		}
	case raftpb.MsgAppResp, raftpb.MsgHeartbeatResp:
		v := p.voters[m.GetFrom()]
		if v == nil {
			if p.voters == nil {
				return
			}
			v = &peer{caughtUpMs: -1}
			p.voters[m.GetFrom()] = v
		}
		v.fetchMs, v.heard = now.WallMs, now.Mono
		if m.GetType() == raftpb.MsgAppResp && !m.GetReject() && m.GetIndex() >= last {
			v.caughtUpMs = now.WallMs
		}
	}
}

// Description is the answer to DescribeQuorum.
type Description struct {
	Leader        kafka.NodeID
	Epoch         kafka.LeaderEpoch
	HighWatermark kafka.Offset
	LogStart      kafka.Offset
	Leading       bool         // only the leader knows the replicas' offsets
	Vote          kafka.NodeID // whom this voter voted for in the epoch
	Election      Latency      // of this voter's campaigns
	Commit        Latency      // of this voter's leaderships
	Voters        []Replica
	Observers     []Replica
}

// Replica is one voter or observer; times are wall clock in ms, -1 for never.
type Replica struct {
	Voter
	LogEnd         kafka.Offset // -1 when it is not known
	LastFetchMs    int64
	LastCaughtUpMs int64
}

// Describe tells who leads and how far everybody is.
func (q *Quorum) Describe() Description {
	q.mu.Lock()
	defer q.mu.Unlock()
	start, _ := q.engine.store.log.Bounds()
	d := Description{Leader: q.voters.node(q.lead.role.lead), Epoch: kafka.LeaderEpoch(q.lead.role.term),
		HighWatermark: q.committed, LogStart: start, Leading: q.lead.role.leading,
		Vote: q.engine.vote.voted, Election: q.lead.took.election, Commit: q.lead.took.commit}
	match := map[uint64]uint64{}
	q.engine.node.WithProgress(func(id uint64, _ raft.ProgressType, pr tracker.Progress) { match[id] = pr.Match })
	now := q.o.World.Now().WallMs
	for _, v := range q.voters {
		r := Replica{Voter: v.Voter, LogEnd: kafka.NoOffset, LastFetchMs: -1, LastCaughtUpMs: -1}
		switch p := q.peers.voters[v.raft]; {
		case v.raft == q.self.raft:
			r.LogEnd, r.LastFetchMs, r.LastCaughtUpMs = q.engine.store.pos.end(), now, now
		case q.lead.role.leading && p != nil:
			r.LogEnd, _ = q.engine.store.pos.offsetOf(match[v.raft] + 1)
			r.LastFetchMs, r.LastCaughtUpMs = p.fetchMs, p.caughtUpMs
		}
		d.Voters = append(d.Voters, r)
	}
	for k, p := range q.peers.observers {
		d.Observers = append(d.Observers, Replica{Voter: Voter{ID: k.NodeID, Directory: k.DirectoryID},
			LogEnd: p.end, LastFetchMs: p.fetchMs, LastCaughtUpMs: p.caughtUpMs})
	}
	slices.SortFunc(d.Observers, func(a, b Replica) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), bytes.Compare(a.Directory[:], b.Directory[:]))
	})
	return d
}

// observed notes that an observer fetched the metadata log from the offset. Observers that have been silent for five
// minutes are forgotten, as Kafka does.
func (q *Quorum) observed(k Key, from kafka.Offset) {
	if _, voter := q.voters.byKey(k); voter {
		return // not yet told that it is one
	}
	now := q.o.World.Now()
	p := q.peers.observers[k]
	if p == nil {
		for other, o := range q.peers.observers {
			if now.WallMs-o.fetchMs > observerTimeoutMs {
				delete(q.peers.observers, other)
			}
		}
		p = &peer{caughtUpMs: -1}
		q.peers.observers[k] = p
	}
	p.fetchMs, p.end = now.WallMs, from
	if from >= q.committed {
		p.caughtUpMs, p.caughtUp = now.WallMs, now.Mono
	}
}

const observerTimeoutMs = 5 * 60 * 1000
