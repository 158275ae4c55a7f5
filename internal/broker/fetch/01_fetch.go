// Package fetch serves what readers ask of a partition: Fetch, ListOffsets, OffsetForLeaderEpoch.
//
// listen calls its handlers through node's table. It reads partitions and never writes one. A fetch that has to wait
// is a continuation on the partitions' watchers and one deadline; no goroutine waits.
package fetch

import (
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

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
}

// Limits are the broker's bounds on one answer.
type Limits struct {
	MaxBytes       int32 // fetch.max.bytes
	SessionSlots   int   // max.incremental.fetch.session.cache.slots
	SessionEvictMs int64
}

// Fetches is the area.
type Fetches struct {
	world      world.World
	deadlines  *world.Deadlines
	partitions Partitions
	limits     Limits
	logger     *slog.Logger

	mu       sync.Mutex
	sessions *fetchsession.Cache
	closing  bool
}

// New connects the area.
func New(w world.World, p Partitions, limits Limits, logger *slog.Logger) *Fetches {
	return &Fetches{
		world: w, deadlines: world.NewDeadlines(w), partitions: p, limits: limits, logger: logger,
		sessions: fetchsession.NewCache(limits.SessionSlots, time.Duration(limits.SessionEvictMs)*time.Millisecond),
	}
}

// Fetch serves Fetch v4-18: sessions (KIP-227), topic ids from v13 (KIP-516), divergence (KIP-595), leader hints from
// v16 (KIP-951). It answers when min.bytes are there, max.wait is over, or any partition has an error; the first batch
// is returned even when it is larger than every limit. Fetches of replicas (a replica id of zero or more) are refused with
// NOT_LEADER_OR_FOLLOWER by partition, since no partition has a second one.
func (f *Fetches) Fetch(req *wire.Request) {
	in := req.Body.(*kmsg.FetchRequest)
	f.mu.Lock()
	session, incremental, code := f.sessions.Open(f.world.Now(), sessionRequest(in), f.sessionID)
	var id int32
	var partitions []fetchsession.Partition
	if code == kafka.ErrNone {
		id, partitions = session.ID(), session.Snapshot()
	}
	f.mu.Unlock()
	if code != kafka.ErrNone {
		req.Reply(wire.Reply{Payload: wire.EncodeFetch(req.Version, &wire.FetchAnswer{ErrorCode: code})})
		return
	}
	w := &pending{
		area: f, req: req, session: session, sessionID: id, partitions: partitions, incremental: incremental,
		ask: ask{
			minBytes: int(in.MinBytes), committed: in.IsolationLevel == 1,
			maxBytes: int(min(in.MaxBytes, f.limits.MaxBytes)), byID: in.Version >= 13, follower: replica(in) >= 0,
		},
	}
	wait := time.Duration(in.MaxWaitMillis) * time.Millisecond
	if f.stops() {
		wait = 0
	}
	w.start(wait)
}

// Close answers every fetch that waits, with what there is, and lets none wait any more: the node stops.
func (f *Fetches) Close() {
	f.mu.Lock()
	f.closing = true
	f.mu.Unlock()
	f.deadlines.Rush()
}

func (f *Fetches) stops() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.closing
}

// replica is the id of the broker that replicates, -1 for a consumer.
func replica(in *kmsg.FetchRequest) int32 {
	if in.Version >= 15 {
		return in.ReplicaState.ID
	}
	return in.ReplicaID
}

func (f *Fetches) sessionID() int32 { return int32(f.world.Uint64() & 0x7fffffff) }

func sessionRequest(in *kmsg.FetchRequest) fetchsession.Request {
	r := fetchsession.Request{ID: in.SessionID, Epoch: in.SessionEpoch, ByID: in.Version >= 13}
	if in.Version < 7 {
		r.ID, r.Epoch = fetchsession.NoSession, fetchsession.FinalEpoch
	}
	for i := range in.Topics {
		t := &in.Topics[i]
		for j := range t.Partitions {
			p := &t.Partitions[j]
			r.Add = append(r.Add, fetchsession.Partition{
				Key:         fetchsession.Key{TopicID: t.TopicID, Topic: t.Topic, Partition: p.Partition},
				FetchOffset: kafka.Offset(p.FetchOffset), LogStartOffset: kafka.Offset(p.LogStartOffset),
				MaxBytes: p.PartitionMaxBytes, CurrentEpoch: kafka.LeaderEpoch(p.CurrentLeaderEpoch),
				LastFetchedEpoch: kafka.LeaderEpoch(p.LastFetchedEpoch), HighWatermark: kafka.Offset(p.HighWatermark),
			})
		}
	}
	for i := range in.ForgottenTopics {
		t := &in.ForgottenTopics[i]
		for _, n := range t.Partitions {
			r.Forget = append(r.Forget, fetchsession.Key{TopicID: t.TopicID, Topic: t.Topic, Partition: n})
		}
	}
	return r
}
