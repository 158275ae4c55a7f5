// Package fetch serves what readers ask of a partition: Fetch, ListOffsets, OffsetForLeaderEpoch.
//
// listen calls its handlers through node's table. It reads partitions and never writes one. A fetch that has to wait
// is a continuation on the partitions' watchers and one deadline; no goroutine waits.
package fetch

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/fetchsession"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// Partitions finds this node's replicas.
type Partitions interface {
	// ByName fails with UNKNOWN_TOPIC_OR_PARTITION or NOT_LEADER_OR_FOLLOWER.
	ByName(kafka.TopicPartition) (*partition.Partition, error)
	// ByID fails with UNKNOWN_TOPIC_ID, UNKNOWN_TOPIC_OR_PARTITION or NOT_LEADER_OR_FOLLOWER.
	ByID(kafka.TopicIDPartition) (*partition.Partition, error)
	// Leader is the hint of KIP-951 for a client of a listener, by name or, when the name is empty, by id; nil when
	// nobody leads.
	Leader(listener, topic string, id kafka.TopicID, partition int32) *wire.LeaderHint
	// Member returns the epoch under which a broker is registered, -1 for none, and whether it may join an ISR.
	Member(kafka.NodeID) (epoch kafka.BrokerEpoch, eligible bool)
	// Succeeded fails where this broker can't tell another that nobody leads a partition after an epoch, whatever replica it has: with
	// FENCED_LEADER_EPOCH where it knows of a later leader, UNKNOWN_TOPIC_ID where the topic isn't the one of that id, which is zero for
	// any, and REPLICA_NOT_AVAILABLE before it knows again what it knew when it was last started.
	Succeeded(name kafka.TopicPartition, id kafka.TopicID, epoch kafka.LeaderEpoch) error
	// Near returns the rack of a broker, "" for none, and whether clients of a listener reach it.
	Near(node kafka.NodeID, listener string) (rack string, ok bool)
}

// Limits are the broker's bounds on one answer.
type Limits struct {
	MaxBytes       int32 // fetch.max.bytes
	SessionSlots   int   // max.incremental.fetch.session.cache.slots
	SessionEvictMs int64
	SessionBytes   int64 // memory of all sessions
	RackAware      bool  // replica.selector.class: consumers are sent to an in-sync replica in their rack (KIP-392)
}

// Fetches is the area.
type Fetches struct {
	world      world.World
	deadlines  *world.Deadlines
	partitions Partitions
	limits     Limits
	budget     *wire.Budget
	logger     *slog.Logger
	closing    atomic.Bool
	idle       sync.Pool // *pending

	mu       sync.Mutex
	sessions *fetchsession.Cache
	charged  int64 // to the budget, for sessions
	names    names
	parked   map[int32]*pending // of replicas, by session
}

// New connects the area. What fetches and sessions keep is charged to the budget.
func New(w world.World, p Partitions, limits Limits, budget *wire.Budget, logger *slog.Logger) *Fetches {
	return &Fetches{
		world: w, deadlines: world.NewDeadlines(w), partitions: p, limits: limits, budget: budget, logger: logger,
		sessions: fetchsession.NewCache(limits.SessionSlots, int(limits.SessionBytes/fetchsession.PartitionBytes),
			time.Duration(limits.SessionEvictMs)*time.Millisecond),
		parked: map[int32]*pending{},
	}
}

// Fetch serves Fetch v4-18: sessions (KIP-227), followers that serve consumers from v11 on (KIP-392), divergence (KIP-595),
// topic ids from v13 (KIP-516), leader hints from v16 (KIP-951). It answers when min.bytes are there, max.wait is over, or any
// partition has an error; the first batch is returned even when it is larger than every limit. Fetches of replicas (a replica
// id of zero or more) are served as replica.go says.
func (f *Fetches) Fetch(req *wire.Request) {
	in := &req.Fetch
	w := f.take()
	w.req = req
	w.ask = ask{
		minBytes: int(in.MinBytes), committed: in.Committed, maxBytes: int(min(in.MaxBytes, f.limits.MaxBytes)),
		byID: req.Version >= 13, anyReplica: req.Version >= 11,
	}
	w.from = sender{replica: kafka.NoNode, choice: w.from.choice[:0]}
	if in.ReplicaID >= 0 {
		w.replicates(in)
	}
	if code := w.open(in); code != kafka.ErrNone {
		w.refuse(code)
		return
	}
	if w.ask.report && in.MinBytes <= 0 {
		f.hurry(w.sessionID)
	}
	wait := time.Duration(in.MaxWaitMs) * time.Millisecond
	if f.closing.Load() || w.ask.report {
		wait = 0
	}
	w.start(wait)
}

// Close answers every fetch that waits, with what there is, and lets none wait any more: the node stops.
func (f *Fetches) Close() {
	f.closing.Store(true)
	f.deadlines.Rush()
}

func (f *Fetches) sessionID() int32 { return int32(f.world.Uint64() & 0x7fffffff) }
