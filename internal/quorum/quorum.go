// Package quorum keeps the metadata log: it runs Raft (go.etcd.io/raft, whose only importer it is) over the log of
// __cluster_metadata-0 and, while this node leads, the controller's machine on top of it.
//
// A node's directory is run by a Quorum while it votes and by an Observer while it doesn't; Forming finds out which, and has
// the voters of a list begin one cluster.
//
// node assembles it; the handlers of the controller's APIs call Submit, ReadBarrier and Describe; feed pulls what is
// committed; the controller listener hands it the messages of other voters. It never decides what a command means
// (the machine does), never opens a connection (Send is injected) and never waits: it is an actor whose steps run
// under one mutex and are driven by calls, by flush callbacks and by the World's timers.
//
// Invariants. One Raft entry is one batch; the term is the leader epoch. Nothing is answered, voted or acknowledged to
// a leader before it is on stable storage. The machine has applied exactly the committed records plus, on the leader,
// the proposed ones, which Revert takes back when the leadership goes. No continuation runs with the mutex held.
//
// Raft draws its election timeouts from crypto/rand.Reader; a simulation that wants the same trace from the same seed
// replaces that reader.
package quorum

import (
	"log/slog"
	"sync"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/world"
)

// Options is what a quorum is made of. Send, Pull, Await, Unseated, Failed and Logger may be nil.
type Options struct {
	World   world.World
	FS      disk.FS
	Dir     string // the directory of __cluster_metadata-0
	Log     Log
	Flusher Flusher
	Machine Machine
	Self    Key
	Cluster string // the cluster's id; messages of another cluster are refused
	Config  Config

	// Send hands a message to another voter; it may lose it. Receive is the other end.
	Send func(to Voter, msg []byte)
	// Pull asks the leader for a piece of a snapshot, when this voter is behind its log; done is called once, however the asking
	// ends. The other end is FetchSnapshot. A quorum of one has no use for it.
	Pull func(from Voter, a PullChunk, done func(Chunk, error))
	// Await calls back once everything below the offset is visible on this node (feed.WaitFor). Replies wait for it,
	// so that who was answered finds the change here.
	Await func(end kafka.Offset, done func())
	// Unseated is told when this node is no voter and no voter sends it anything any more: it was removed, or not added yet.
	// The quorum is to be closed then, and the node goes on as an Observer. Without it a node that is no voter is not opened.
	Unseated func()
	// Failed is told, once, that the quorum gave up: its disk failed or its log lost what it acknowledged.
	Failed func(error)
	Logger *slog.Logger
}

// Config is the keys of the quorum; zero values take Kafka's defaults.
type Config struct {
	ElectionTimeout  time.Duration // controller.quorum.election.timeout.ms
	IdleInterval     time.Duration // metadata.max.idle.interval.ms; negative for none
	SnapshotBytes    int64         // metadata.log.max.record.bytes.between.snapshots
	SnapshotInterval time.Duration // metadata.log.max.snapshot.interval.ms
	RetentionBytes   int64         // metadata.max.retention.bytes
	Retention        time.Duration // metadata.max.retention.ms
	MaxBatchBytes    int           // internal.metadata.max.batch.size.in.bytes
	TimerInterval    time.Duration // how often the leader asks its machine what is due
	ChunkBytes       int           // controller.quorum.fetch.snapshot.max.bytes
	FetchTimeout     time.Duration // controller.quorum.fetch.timeout.ms: no answer by then, and a piece is asked for again
}

func (c Config) withDefaults() Config {
	setDefault(&c.ElectionTimeout, time.Second)
	setDefault(&c.IdleInterval, 500*time.Millisecond)
	setDefault(&c.SnapshotBytes, 20<<20)
	setDefault(&c.SnapshotInterval, time.Hour)
	setDefault(&c.RetentionBytes, 100<<20)
	setDefault(&c.Retention, 7*24*time.Hour)
	setDefault(&c.MaxBatchBytes, 8<<20)
	setDefault(&c.TimerInterval, 100*time.Millisecond)
	setDefault(&c.ChunkBytes, chunkBytes)
	setDefault(&c.FetchTimeout, 2*time.Second)
	return c
}

func setDefault[T ~int | ~int64](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

// Quorum is one voter. It is the face that others call; what it does is in its parts, all under its mutex: the engine
// runs Raft over the log, the leadership runs the machine while this node leads, the clock keeps their timers.
type Quorum struct {
	o  Options
	mu sync.Mutex

	engine    engine
	lead      leadership
	clock     clock
	snaps     snapshots
	reads     barriers
	peers     peers
	watch     watchers
	voters    voterSet
	kraft     int16 // kraft.version, for good
	self      member
	committed kafka.Offset // end of what is committed and durable here

	err   error    // why no more steps are taken
	after []func() // what the step leaves to do once the mutex is free
}

// locked runs one step of the actor.
func (q *Quorum) locked(step func()) {
	q.mu.Lock()
	q.guarded(step)
	after := q.after
	q.after = nil
	q.mu.Unlock()
	for _, f := range after {
		f()
	}
}

// later queues a continuation for when the mutex is free.
func (q *Quorum) later(f func()) { q.after = append(q.after, f) }

// fail gives the quorum up because its disk failed or its log lies. Nothing is known any more, so nothing is said any
// more.
func (q *Quorum) fail(err error) {
	if q.err != nil {
		return
	}
	q.giveUp(err)
	if q.o.Failed != nil {
		q.later(func() { q.o.Failed(err) })
	}
}

func (q *Quorum) giveUp(err error) {
	if q.err != nil {
		return
	}
	q.err = err
	q.lead.role.leading = false
	q.lead.abandon(err)
	q.reads.fail(q, err)
	q.engine.intake.drop()
}

// Close stops the quorum. What was not answered is answered with an error; the log stays open, it is the caller's.
func (q *Quorum) Close() {
	q.locked(func() { q.giveUp(fault.Shutdown("quorum")) })
}

// Leader returns who leads, as far as this voter knows, and the epoch; NoNode when nobody does.
func (q *Quorum) Leader() (kafka.NodeID, kafka.LeaderEpoch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.voters.node(q.lead.role.lead), kafka.LeaderEpoch(q.lead.role.term)
}

// KRaftVersion returns the kraft.version of the log: 0 for one that Apache Kafka began with static voters.
func (q *Quorum) KRaftVersion() int16 { return q.kraft }

// Active reports whether this node leads and takes commands.
func (q *Quorum) Active() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lead.role.active
}

// Voters returns the membership as this voter knows it.
func (q *Quorum) Voters() []Voter {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.voters.list()
}

// setVoters makes a set the membership.
func (q *Quorum) setVoters(to voterSet) {
	if v, ok := to.byKey(q.o.Self); ok {
		q.self = v
	}
	q.voters = to
	for _, m := range to {
		delete(q.peers.observers, m.key)
		q.peers.known(m.raft)
	}
	q.clock.armTicks()
}
