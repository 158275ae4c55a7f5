// Package partition is one replica of one partition at work: its log, its offsets machine, and everybody who waits on
// them. It is the shell between the handlers (broker/produce, broker/fetch, coordinator) and the log.
//
// It owns the mutex that serialises everything written to a log, the acks=all waiters, the fetch watchers, and when a
// flush is asked for. It decides nothing about offsets itself: machine/replica does. It never blocks on a disk sync and
// never calls anybody back with its mutex held.
//
// Invariants: waiters of acks=all are answered in offset order and only once the high watermark passed them; at most
// one flush of a partition is under way; a partition whose log dir failed answers KAFKA_STORAGE_ERROR for ever.
package partition

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/machine/replica"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/mutant"
	"github.com/milena-io/milena/internal/world"
)

// Config is what a topic's configs mean to a partition.
type Config struct {
	Log        log.Config
	MinISR     int
	Durability replica.Durability
	Flush      FlushConfig
	Throttles  Throttles
}

// Throttles bound replication on both sides (KIP-73).
type Throttles struct{ Leader, Follower Throttle }

// Env is what every partition of one log dir shares.
type Env struct {
	World   world.World
	Flusher *disk.Flusher
	Logger  *slog.Logger
	Self    kafka.NodeID
	// Chores runs what a log directory has only so many threads for (num.recovery.threads.per.data.dir); nil is World.Go.
	Chores *world.Pool
	// Failed is told once when an IO call of a log failed; the log dir is to be given up.
	Failed func(error)
	News   News // may be nil
	// Replication talks to other brokers for the partitions; nil on a node without any.
	Replication Replication

	hung atomic.Pointer[time.Duration] // when the flush began that Hang was last called during; nil: never
}

// Replication is what carries on between brokers what partitions want. It is called without locks, and has to be quick.
type Replication interface {
	replica.Members
	// Wish hears that Leading.Wish has something for the controller that has not been sent, or is to be sent again.
	Wish(p *Partition)
	// Durable hears that more of a follower's log is durable: its leader is to be told at once (architecture D7).
	Durable(p *Partition)
}

// Partition is this node's replica of one partition. Its methods are safe for concurrent use.
type Partition struct {
	// Traffic is what is counted of clients; the partitions of a topic share it. It is set before the first use.
	Traffic *Traffic

	env  atomic.Pointer[Env] // of the log directory that it lives in
	name kafka.TopicPartition
	open func(log.Config) (*log.Log, error) // opens and recovers the log, once

	mu       sync.Mutex
	log      *log.Log // nil until first use
	rep      *replica.Replica
	high     kafka.Offset // checkpointed high watermark, until the log is open
	reg      replica.Registration
	cfg      *Config // shared by the partitions of a topic, and never changed
	waits    waits
	watchers watchers
	flush    flushing
	ending   ending
	gone     error // why every call is refused: stopped, deleted or its disk failed
}

// ending is how Stop waits for what is under way.
type ending struct {
	done       func() // called once nothing is
	compacting bool
	scrubbing  bool  // a step of a scrub is reading
	starts     int   // log starts that are being made durable
	move       *Move // to another log directory
	yield      *yielding
}

// ended returns what is to be called when nothing is under way any more and a Stop waits for that, or a move. Called with
// the mutex held.
func (p *Partition) ended() (calls []func()) {
	e := &p.ending
	if p.flush.under || e.compacting || e.starts > 0 {
		return nil
	}
	if m := e.move; m != nil {
		if m.still && m.quiet != nil {
			calls = append(calls, m.quiet)
			m.quiet = nil
		}
		return calls
	}
	if e.done != nil && !e.scrubbing {
		calls = append(calls, p.ending.done)
		p.ending.done = nil
	}
	return calls
}

// New makes the object; the log is opened by the first call that needs it, so that a node with many partitions starts
// without touching their files (architecture D6).
func New(env *Env, name kafka.TopicPartition, cfg *Config, high kafka.Offset, open func(log.Config) (*log.Log, error)) *Partition {
	p := &Partition{
		Traffic: &Traffic{}, name: name, open: open, cfg: cfg, high: high,
		reg: replica.Registration{Leader: kafka.NoNode, LeaderEpoch: kafka.NoLeaderEpoch, PartitionEpoch: -1},
	}
	p.env.Store(env)
	p.watchers.init()
	p.flush.done = p.flushed
	p.flush.tell = func() { p.at().Replication.Durable(p) }
	return p
}

// at is the log directory that the partition lives in.
func (p *Partition) at() *Env { return p.env.Load() }

// Name returns topic and partition number.
func (p *Partition) Name() kafka.TopicPartition { return p.name }

// Become takes the newest registration of the partition from the image: leader or follower of an epoch. It touches no
// file; the log learns of a new epoch with its first append.
func (p *Partition) Become(reg replica.Registration) {
	p.mu.Lock()
	if reg.PartitionEpoch < p.reg.PartitionEpoch {
		p.mu.Unlock()
		return
	}
	p.reg = reg
	var calls []func()
	if p.rep != nil {
		_, moved := p.rep.Register(p.at().World.Now(), reg)
		if p.log != nil { // it isn't closed
			p.rep.Leading().Begins(p.log.Offsets().LogStart)
		}
		calls = append(p.settle(moved), p.begun()...)
		if !p.rep.Leads() {
			calls = append(calls, p.failWaits(fault.New("partition", kafka.ErrNotLeaderOrFollower, "leadership of %s moved to node %d", p.name, reg.Leader))...)
		}
		if mutant.On(mutant.TruncateToHighWatermark) && !p.rep.Leads() && p.lastEpoch() < reg.LeaderEpoch {
			must.OK(p.cut(replica.Order{At: p.rep.HighWatermark()}))
		}
		calls = append(append(calls, p.wake()...), p.confirm()...)
	}
	calls = append(calls, p.yielded()...)
	p.mu.Unlock()
	run(calls)
}

// confirm has the controller told that a switch to durable is over, where it is to hear that. Called with the mutex held.
func (p *Partition) confirm() []func() {
	if p.at().Replication == nil || !p.rep.Leading().Settled() {
		return nil
	}
	return []func(){func() { AsLeader(p).Consider(0) }}
}

// Configure takes changed topic configs.
func (p *Partition) Configure(cfg *Config) {
	p.mu.Lock()
	p.cfg = cfg
	var calls []func()
	if p.log != nil {
		p.log.SetConfig(cfg.Log)
		calls = append(p.settle(p.rep.Configure(cfg.MinISR, cfg.Durability)), p.synced()...)
		calls = append(calls, p.begun()...)
		if cfg.Durability == replica.Synced {
			p.flushAll() // what was acknowledged from the page cache becomes durable before it is acknowledged again
		}
	}
	p.mu.Unlock()
	run(calls)
}

// ready opens the log on first use. Called with the mutex held.
func (p *Partition) ready() error {
	if p.gone != nil {
		return p.gone
	}
	if p.log != nil {
		return nil
	}
	l, err := p.open(p.cfg.Log)
	if err != nil {
		if fault.IsKind(err, fault.Disk) {
			p.gone = err
			p.at().Failed(err)
		}
		return err
	}
	o := l.Offsets()
	p.log = l
	p.rep = replica.New(p.at().Self, o.End, o.Durable, max(p.high, o.LogStart))
	p.rep.Configure(p.cfg.MinISR, p.cfg.Durability)
	p.rep.Register(p.at().World.Now(), p.reg)
	p.rep.Leading().Begins(o.LogStart)
	p.flush.last = p.at().World.Now().Mono
	p.flushAll()
	return nil
}

// lead checks that this node leads the partition in the epoch a request names. Called with the mutex held.
func (p *Partition) lead(epoch kafka.LeaderEpoch) error { return p.serve(epoch, false) }

// serve is lead, or for what any replica may answer only the check of the epoch. Called with the mutex held.
func (p *Partition) serve(epoch kafka.LeaderEpoch, any bool) error {
	if err := p.ready(); err != nil {
		return err
	}
	if code := p.rep.Check(epoch); code != kafka.ErrNone {
		return fault.New("partition", code, "%s is at leader epoch %d, the request at %d", p.name, p.reg.LeaderEpoch, epoch)
	}
	if !any && !p.rep.Leads() {
		return fault.New("partition", kafka.ErrNotLeaderOrFollower, "node %d leads %s, not this node", p.reg.Leader, p.name)
	}
	return nil
}

// settle collects whom it concerns that the machine has heard something, and what else a moved high watermark does. Called with the mutex held; run
// the result after it.
func (p *Partition) settle(moved bool) []func() {
	calls := p.completeWaits() // what is acknowledged may move alone: a follower becomes durable, or one that isn't leaves the ISR
	if p.ending.yield != nil {
		calls = append(calls, p.drained()...)
	}
	if moved {
		calls = append(calls, p.wake()...)
	}
	return calls
}

// fail refuses everything from now on. Called with the mutex held.
func (p *Partition) fail(err error) []func() {
	if p.gone == nil {
		p.gone = err
	}
	return append(append(p.failWaits(err), p.wake()...), p.yielded()...)
}

// Closed is how Stop left a log.
type Closed struct {
	Opened         bool // false: nobody ever needed the log, and its files are as they were
	Recovery, High kafka.Offset
	Targets        []disk.Syncer // what is still to be synced before the log counts as closed
	Err            error         // the log is not closed cleanly
}

// Stop takes no new work, answers everybody who waits, and closes the log cleanly; done is called when all of its files are
// written, and its records are on stable storage. Produces in flight are answered when their flush has come; those that wait for other replicas, which may
// take for ever, are told to look for another leader. It is idempotent.
func (p *Partition) Stop(done func(Closed)) {
	p.mu.Lock()
	if p.gone != nil {
		closed := Closed{Err: p.gone}
		p.mu.Unlock()
		done(closed)
		return
	}
	p.gone = fault.Shutdown("partition " + p.name.String())
	p.ending.done = func() { p.close(done) }
	if p.log != nil {
		p.flushAll()
	}
	calls := append(p.wake(), p.yielded()...)
	calls = append(calls, p.ended()...)
	p.mu.Unlock()
	run(calls)
}

// close closes the log of a partition that was stopped.
func (p *Partition) close(done func(Closed)) {
	p.mu.Lock()
	l := p.log
	p.log = nil
	calls := p.failWaits(p.gone)
	var high kafka.Offset
	if l != nil {
		high = p.rep.HighWatermark()
	}
	p.mu.Unlock()
	run(calls)
	if l == nil {
		done(Closed{})
		return
	}
	p.at().run(func() {
		targets, err := log.Finish(l)
		done(Closed{Opened: true, Recovery: l.Offsets().End, High: high, Targets: targets, Err: err})
	})
}

// run runs a chore.
func (e *Env) run(f func()) {
	if e.Chores == nil {
		e.World.Go(f)
		return
	}
	e.Chores.Go(f)
}

// Open opens and recovers the log if nobody has yet.
func (p *Partition) Open() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ready()
}

// Delete stops the partition and removes its files; opened is false when its log is not open, because nobody ever needed
// it or because it could not be opened: the files are then the caller's to remove.
func (p *Partition) Delete() (opened bool, err error) {
	p.mu.Lock()
	l := p.log
	p.log = nil
	if l != nil {
		l.Abandon() // with the mutex that a compaction takes for its swaps: the names may be another log's as soon as they are free
	}
	calls := p.fail(fault.New("partition", kafka.ErrUnknownTopicOrPartition, "%s was deleted", p.name))
	p.mu.Unlock()
	run(calls)
	if l == nil {
		return false, nil
	}
	return true, l.Delete()
}

func run(calls []func()) {
	for _, f := range calls {
		f()
	}
}
