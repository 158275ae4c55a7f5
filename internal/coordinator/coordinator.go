// Package coordinator is the shell around the group machines: one shard for each partition of __consumer_offsets that
// this node leads.
//
// broker/groups hands it commands; node tells it which partitions it leads and gives it their logs. A shard reads its
// log through the machine's Apply, then decides commands, appends what they write, applies it at once and holds each
// reply until the high watermark has passed. It decides nothing itself.
//
// Writing: at most one batch of a shard is on its way; what is decided meanwhile gathers in the next one, so that many
// commits share one batch and one flush, and a lone one waits for nothing.
//
// Invariants: a reply leaves only when everything it rests on is committed, and one that tells committed offsets or a generation only
// when nobody else can have committed others before it was asked for; an append is refused unless the shard's leader epoch is still the
// partition's, so that two coordinators of one group never both accept; nobody is called with a lock held; every request is answered
// exactly once.
package coordinator

import (
	"log/slog"
	"sort"
	"sync"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group"
	"github.com/milena-io/milena/internal/mutant"
	"github.com/milena-io/milena/internal/record"
	rec "github.com/milena-io/milena/internal/staterecord/group"
	"github.com/milena-io/milena/internal/world"
)

// Log is one led partition of __consumer_offsets. All of it is safe for concurrent use.
type Log interface {
	// Append writes a batch as the leader of an epoch, with acks=all. done is called once, perhaps before Append
	// returns: with the batch's base offset when the high watermark has passed it, or with an error. The batch is not
	// kept after done.
	Append(epoch kafka.LeaderEpoch, b record.Batch, done func(base kafka.Offset, err error))
	// Bounds returns the log start and end of a leader of the epoch.
	Bounds(epoch kafka.LeaderEpoch) (start, end kafka.Offset, err error)
	// Read returns whole batches, the first of which holds from; it returns at least one unless from is the end.
	// It may block on the disk.
	Read(from kafka.Offset, maxBytes int) ([]byte, error)
	// Committed calls done once, when the high watermark has reached an offset or the epoch is over.
	Committed(epoch kafka.LeaderEpoch, upTo kafka.Offset, done func(error))
	// Confirm calls done once, perhaps before it returns: with nil when nobody led in a later epoch yet when it was called, with
	// FENCED_LEADER_EPOCH or NOT_LEADER_OR_FOLLOWER when somebody does, and with another error when nobody can tell.
	Confirm(epoch kafka.LeaderEpoch, done func(error))
}

// Env is what a coordinator is given.
type Env struct {
	World  world.World
	Logger *slog.Logger
	Config group.Config
	// Partitions returns the number of partitions of __consumer_offsets, 0 while the topic does not exist.
	Partitions func() int32
	// CommitTimeout is offsets.commit.timeout.ms: how long a reply waits for replication.
	CommitTimeout time.Duration
	// MaxBatchBytes bounds the batches written: max.message.bytes of the topic as it is now, which the log holds us to.
	MaxBatchBytes func() int
	// LoadBytes is offsets.load.buffer.size.
	LoadBytes int
}

// Coordinator holds the shards of one node.
type Coordinator struct {
	env    Env
	mu     sync.Mutex
	shards map[int32]*shard
	closed bool
}

// New returns a coordinator that leads nothing yet.
func New(env Env) *Coordinator {
	return &Coordinator{env: env, shards: map[int32]*shard{}}
}

// Elected says that this node leads a partition in an epoch: its shard is loaded. An older epoch is ignored.
func (c *Coordinator) Elected(partition int32, epoch kafka.LeaderEpoch, log Log) {
	c.mu.Lock()
	old := c.shards[partition]
	if c.closed || old != nil && old.epoch >= epoch {
		c.mu.Unlock()
		return
	}
	s := newShard(c.env, partition, epoch, log)
	c.shards[partition] = s
	c.mu.Unlock()
	if old != nil {
		old.resign("a newer epoch began", slog.LevelInfo)
		s.topicsDeleted(old.undone())
	}
	c.env.World.Go(s.load)
}

// Resigned says that this node does not lead a partition any more, as of an epoch.
func (c *Coordinator) Resigned(partition int32, epoch kafka.LeaderEpoch) {
	c.mu.Lock()
	s := c.shards[partition]
	if s == nil || s.epoch > epoch || mutant.On(mutant.CoordinatorStays) {
		c.mu.Unlock()
		return
	}
	delete(c.shards, partition)
	c.mu.Unlock()
	s.resign("leadership moved", slog.LevelInfo)
}

// Close resigns everything. Requests that wait for their records to be written are answered when they are; the rest at
// once.
func (c *Coordinator) Close() {
	c.mu.Lock()
	c.closed = true
	all := c.sorted()
	c.shards = map[int32]*shard{}
	c.mu.Unlock()
	for _, s := range all {
		s.resign("the node is stopping", slog.LevelDebug)
	}
	if len(all) > 0 {
		c.env.Logger.Info("Resigned as the group coordinator of all partitions: the node is stopping", "partitions", len(all))
	}
}

// PartitionOf returns the partition of __consumer_offsets that owns a group, or false while there is no such topic.
func (c *Coordinator) PartitionOf(groupID string) (int32, bool) {
	n := c.env.Partitions()
	if n <= 0 {
		return 0, false
	}
	return rec.Partition(groupID, n), true
}

// Submit decides a command about a group. done is called once, perhaps before Submit returns, with the machine's reply
// to it; what no coordinator would accept is answered by any node. Errors: NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS,
// COORDINATOR_NOT_AVAILABLE, UNKNOWN_SERVER_ERROR for what is too large to be written.
func (c *Coordinator) Submit(groupID string, cmd group.Command, done func(reply any, err error)) {
	if refusal := c.env.Config.Refuse(cmd); refusal != nil {
		done(refusal, nil)
		return
	}
	p, ok := c.PartitionOf(groupID)
	if !ok {
		done(nil, fault.New("coordinator.Submit", kafka.ErrCoordinatorNotAvailable, "%s does not exist yet", kafka.OffsetsTopic))
		return
	}
	c.mu.Lock()
	s := c.shards[p]
	c.mu.Unlock()
	if s == nil {
		done(nil, notCoordinator(p))
		return
	}
	s.submit(cmd, done)
}

// SubmitAll decides a command in every shard of this node. done is called once with the replies by partition; one
// shard that is loading fails it, and so does a node that is stopping: nobody takes a part for the whole.
func (c *Coordinator) SubmitAll(cmd group.Command, done func(replies []any, err error)) {
	c.mu.Lock()
	all, closed := c.sorted(), c.closed
	c.mu.Unlock()
	switch {
	case closed:
		done(nil, fault.New("coordinator.SubmitAll", kafka.ErrCoordinatorNotAvailable, "this node is stopping"))
		return
	case len(all) == 0:
		done(nil, nil)
		return
	}
	g := &gather{replies: make([]any, len(all)), left: len(all), done: done}
	for i, s := range all {
		s.submit(cmd, func(reply any, err error) { g.take(i, reply, err) })
	}
}

// TopicsDeleted removes what was committed for topics that are gone. A shard that is loading does it when it is done.
// What nobody is told of any more, after a crash in between, expires like the offsets of any topic without readers.
func (c *Coordinator) TopicsDeleted(topics []group.DeletedTopic) {
	c.mu.Lock()
	all := c.sorted()
	c.mu.Unlock()
	for _, s := range all {
		s.topicsDeleted(topics)
	}
}

// sorted returns the shards by partition. Called with the mutex held.
func (c *Coordinator) sorted() []*shard {
	all := make([]*shard, 0, len(c.shards))
	for _, s := range c.shards {
		all = append(all, s)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].partition < all[j].partition })
	return all
}

// gather collects the replies of several shards.
type gather struct {
	mu      sync.Mutex
	replies []any
	left    int
	err     error
	done    func([]any, error)
}

func (g *gather) take(i int, reply any, err error) {
	g.mu.Lock()
	g.replies[i] = reply
	// A shard that resigned meanwhile has no groups to tell of; its new leader is asked as well.
	if err != nil && fault.CodeOf(err) != kafka.ErrNotCoordinator {
		g.err = err
	}
	g.left--
	last := g.left == 0
	g.mu.Unlock()
	if !last {
		return
	}
	var got []any
	for _, r := range g.replies {
		if r != nil {
			got = append(got, r)
		}
	}
	g.done(got, g.err)
}

func notCoordinator(partition int32) error {
	return fault.New("coordinator", kafka.ErrNotCoordinator, "this node does not lead %s-%d", kafka.OffsetsTopic, partition)
}
