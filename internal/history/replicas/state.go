package replicas

import (
	"slices"

	"github.com/milena-io/milena/internal/kafka"
)

// Batch is one record batch of a log, as far as replicas have to agree on it.
type Batch struct {
	Base, Last kafka.Offset
	Epoch      kafka.LeaderEpoch
	CRC        uint32
}

// Replica is one node's replica at one moment: of a running node what it would say itself, of a stopped one what its disk
// would give back after the worst crash.
type Replica struct {
	Node        kafka.NodeID
	Incarnation kafka.IncarnationID // of its process, or its last one
	Up          bool
	Replaced    bool // its disk is another one, and none of its processes has registered since
	Leads       bool // it takes itself for the leader of Epoch
	Epoch       kafka.LeaderEpoch
	EpochStart  kafka.Offset // on the leader: where its epoch began
	Start       kafka.Offset
	End         kafka.Offset
	Durable     kafka.Offset
	High        kafka.Offset   // the high watermark that it acts on
	Visible     kafka.Offset   // on the leader: the end that it tells clients, -1 while it answers OFFSET_NOT_AVAILABLE
	ISR         []kafka.NodeID // that it acts by; nil when it is behind the registration
	Changed     kafka.Offset   // Batches replace everything from here on; what is before is as it was told last
	Batches     []Batch
}

// Inside is what else may be seen of a replica that runs; the zero value is nothing.
type Inside struct {
	Epochs []EpochStart                       // that its log knows, where that has changed
	Heard  map[kafka.NodeID]kafka.BrokerEpoch // of the registered leader: the process of each follower that it heard last
}

// EpochStart is a leader epoch that a log knows, and where it began.
type EpochStart struct {
	Epoch kafka.LeaderEpoch
	Start kafka.Offset
}

// Registration is the partition in the controller's committed state.
type Registration struct {
	Leader         kafka.NodeID
	LeaderEpoch    kafka.LeaderEpoch
	PartitionEpoch kafka.PartitionEpoch
	Replicas       []kafka.NodeID
	Adding         []kafka.NodeID
	ISR            []kafka.NodeID
	ELR            []kafka.NodeID
	LastKnown      []kafka.NodeID
}

// Same reports whether nothing but the epochs may differ.
func (r *Registration) Same(o *Registration) bool {
	return r.Leader == o.Leader && slices.Equal(r.Replicas, o.Replicas) && slices.Equal(r.Adding, o.Adding) &&
		slices.Equal(r.ISR, o.ISR) && slices.Equal(r.ELR, o.ELR) && slices.Equal(r.LastKnown, o.LastKnown)
}

// Broker is a registration of a node at the controller.
type Broker struct {
	Node        kafka.NodeID
	Epoch       kafka.BrokerEpoch
	Incarnation kafka.IncarnationID
	Fenced      bool
}

// Ack is an answer to a Produce with acks=all, at the moment it is given.
type Ack struct {
	Leader kafka.NodeID
	Epoch  kafka.LeaderEpoch
	Base   kafka.Offset
	Last   kafka.Offset
	ISR    []kafka.NodeID // the leader's at that moment, with those whose expansion is pending; nil where it isn't known
}

// Member is one of the in-sync replicas that an AlterPartition names.
type Member struct {
	Node       kafka.NodeID
	Epoch      kafka.BrokerEpoch // -1 where the request carries none
	Registered kafka.BrokerEpoch // what the controller had when it answered
}

// Alteration is an AlterPartition and its answer.
type Alteration struct {
	From           kafka.NodeID
	LeaderEpoch    kafka.LeaderEpoch
	PartitionEpoch kafka.PartitionEpoch // that it was asked against
	ISR            []Member
	Accepted       bool
}

// Position is what a follower's fetch says of it.
type Position struct {
	LeaderEpoch      kafka.LeaderEpoch
	FetchOffset      kafka.Offset
	LastFetchedEpoch kafka.LeaderEpoch
}

// Truncation is a log being cut on a leader's word: the position that the leader answered, and the one that held when the
// log was cut.
type Truncation struct {
	Node      kafka.NodeID
	To        kafka.Offset
	Asked, Is Position
}

// Answer is a request that named a leader epoch, and its answer.
type Answer struct {
	Node       kafka.NodeID
	Asked, Own kafka.LeaderEpoch
	Code       kafka.ErrorCode
	Changed    bool // high watermark, log end or progress of a follower moved by it
}

// State is one partition at one moment, with what happened since the last.
type State struct {
	Index       int // of the state in its history
	Registered  Registration
	Brokers     []Broker
	MinISR      int
	Cached      bool         // milena.durability=cache, or not settled since: the log end counts, not what is durable
	Unclean     bool         // unclean leader election is allowed
	Deleted     kafka.Offset // whoever leads begins here or later: records before it were deleted, and that was acknowledged
	Compacted   bool         // logs are compacted each for itself: contents are not compared
	Replicas    []Replica
	Inside      map[kafka.NodeID]Inside // what else was seen of replicas that run
	Acks        []Ack
	Alterations []Alteration
	Truncations []Truncation
	Answers     []Answer
}

func (s *State) replica(n kafka.NodeID) *Replica {
	for i := range s.Replicas {
		if s.Replicas[i].Node == n {
			return &s.Replicas[i]
		}
	}
	return nil
}

func (s *State) broker(n kafka.NodeID) *Broker {
	for i := range s.Brokers {
		if s.Brokers[i].Node == n {
			return &s.Brokers[i]
		}
	}
	return nil
}

// counts returns the offset that counts for a replica.
func (s *State) counts(r *Replica) kafka.Offset {
	if s.Cached {
		return r.End
	}
	return r.Durable
}

// enough is how many in-sync replicas an acknowledgement takes.
func (s *State) enough() int { return min(s.MinISR, len(s.Registered.Replicas)) }
