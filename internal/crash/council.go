package crash

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/quorum"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/staterecord"
)

// metadata is the log of the quorum.
var metadata = kafka.TopicPartition{Topic: kafka.MetadataTopic}

// council is the voters of a story. The first is the one whose disk is watched; those beside it have disks that do not fail.
type council struct {
	host    *Host
	log     *Log // of the first
	stage   *stage
	voters  []*voter
	promise ballot // of the first
	failed  error
}

// voter is one voter and its process.
type voter struct {
	council *council
	key     quorum.Key
	conf    quorum.Config
	fs      *disk.Mem
	dir     *log.Dir
	actor   *actor
	log     quorum.Log
	machine *controller.Machine
	q       *quorum.Quorum
	cut     bool // nobody hears it, and it hears nobody
}

// metadataConfig is of a log with a few batches a segment, as a node opens it.
func metadataConfig() log.Config {
	c := small()
	c.Accept.MaxMessageBytes, c.Keep.Delete = 1<<20, false
	return c
}

// convene forms a quorum of so many voters on fresh disks.
func (s *Story) convene(n int, conf quorum.Config) (*council, error) {
	h, err := s.Host()
	if err != nil {
		return nil, err
	}
	conf.IdleInterval = -1
	c := &council{host: h, stage: &stage{now: func() kafka.Instant { return s.Now }}}
	var list []quorum.Voter
	for i := range n {
		v := &voter{council: c, conf: conf, fs: s.Mem, key: quorum.Key{NodeID: kafka.NodeID(i + 1), DirectoryID: kafka.DirectoryID{byte(9 + i)}}}
		c.voters = append(c.voters, v)
		list = append(list, quorum.Voter{ID: v.key.NodeID, Directory: v.key.DirectoryID, MaxKRaft: 1})
	}
	for i, v := range c.voters {
		h.chapter("form the quorum")
		if i > 0 {
			if err := v.home(h.world.meta); err != nil {
				return nil, err
			}
		}
		if err := quorum.Format(v.fs, root+"/"+metadata.String(), list, s.Now); err != nil {
			return nil, err
		}
	}
	if c.log, err = h.Open(metadata, kafka.TopicID{}, metadataConfig()); err != nil {
		return nil, err
	}
	for _, v := range c.voters {
		if err := v.start(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// home makes a log directory for a voter whose disk nobody watches.
func (v *voter) home(meta log.Meta) (err error) {
	v.fs = disk.NewMem()
	if v.dir, err = log.OpenDir(v.fs, root, me()); err != nil {
		return err
	}
	meta.DirectoryID = v.key.DirectoryID
	return v.dir.Format(meta)
}

// start begins a process of the voter. The log of the first is open.
func (v *voter) start() error {
	c := v.council
	v.actor = c.stage.actor(uint64(v.key.NodeID))
	v.machine = newController(v.key.NodeID)
	if v == c.voters[0] {
		v.fs = c.host.story.Mem
		v.log = watchedLog{quorum.DiskLog(c.log.log), c.log}
		c.host.chapter("open the quorum")
	} else {
		l, err := log.Open(v.dir.Options(metadata, metadataConfig(), c.host.story.Now))
		if err != nil {
			return err
		}
		v.log = witnessedLog{quorum.DiskLog(l), c}
	}
	o := v.options(v.log)
	if v == c.voters[0] {
		o.Machine, o.Flusher = watchedMachine{v.machine, c.log}, watchedFlusher{disk.NewFlusher(v.actor, root), c.log}
	}
	var err error
	v.q, err = quorum.Open(o)
	if err != nil {
		return err
	}
	v.q.Start()
	c.settle()
	return c.failed
}

func (v *voter) options(l quorum.Log) quorum.Options {
	return quorum.Options{
		World: v.actor, FS: v.fs, Dir: root + "/" + metadata.String(), Log: l, Flusher: disk.NewFlusher(v.actor, root), Machine: v.machine,
		Self: v.key, Config: v.conf, Send: v.send, Pull: v.pull, Failed: func(err error) { v.council.failed = errors.Join(v.council.failed, err) },
	}
}

func newController(id kafka.NodeID) *controller.Machine {
	return controller.New(controller.Options{Node: id, DefaultPartitions: 1, DefaultReplicas: 1, SessionTimeout: time.Hour, Seed: 7})
}

// send carries a message, unless one of the two is cut off.
func (v *voter) send(to quorum.Voter, msg []byte) {
	other := v.council.voters[to.ID-1]
	if v.cut || other.cut {
		return
	}
	other.actor.Go(func() {
		if err := other.q.Receive(quorum.Envelope{From: v.key, To: other.key}, msg); err != nil {
			v.council.failed = errors.Join(v.council.failed, fmt.Errorf("node %d refuses a message: %w", other.key.NodeID, err))
		}
	})
}

// pull asks another voter for a piece of a snapshot.
func (v *voter) pull(from quorum.Voter, a quorum.PullChunk, done func(quorum.Chunk, error)) {
	other := v.council.voters[from.ID-1]
	other.actor.Go(func() {
		other.q.FetchSnapshot(a, func(c quorum.Chunk, err error) { v.actor.Go(func() { done(c, err) }) })
	})
}

// settle does what there is to do, and after each step takes what was committed by it into the promise.
func (c *council) settle() {
	for len(c.stage.queue) > 0 {
		f := c.stage.queue[0]
		c.stage.queue = c.stage.queue[1:]
		f()
		c.learn()
	}
}

// learn reads what is committed as a feed does.
func (c *council) learn() {
	known := len(c.promise.history)
	for _, v := range c.voters {
		if v.q == nil || v.actor.dead {
			continue
		}
		for more := true; more; {
			more = false
			got, err := v.q.Committed(c.promise.end(), 1<<20)
			if err != nil || got.Snapshot != nil {
				c.failed = errors.Join(c.failed, err)
				break // it is behind, and has a snapshot for who is further behind
			}
			for _, b := range got.Batches {
				c.promise.history = append(c.promise.history, slices.Clone(b))
				more = true
			}
		}
	}
	if len(c.promise.history) > known {
		c.promised()
	}
}

// promised makes the ballot a promise.
func (c *council) promised() {
	c.promise.voter, c.promise.alone = *c.voters[0], len(c.voters) == 1
	c.promise.history = slices.Clip(c.promise.history)
	if c.log != nil {
		c.log.tenant.guest = c.promise
		c.host.promise()
	}
}

// elect has a voter campaign until it leads. The others have not heard of a leader for long.
func (c *council) elect(v *voter) error {
	c.host.chapter("elect")
	for _, other := range c.voters {
		if other == v || other.cut || other.actor.dead {
			continue
		}
		other.cut = true
		for range 45 { // it lets go of its leader, or of its leadership, after two election timeouts at the latest
			other.actor.tick()
		}
		other.cut = false
	}
	return errors.Join(v.actor.until(fmt.Sprintf("node %d leads", v.key.NodeID), v.q.Active), c.failed)
}

// change has the leader set a broker config for the whole cluster, and wants the answer; without others it is not committed,
// and none comes.
func (c *council) change(leader *voter, key, value string, committed bool) error {
	c.host.chapter("change")
	return c.submit(leader, setting(key, value), committed)
}

// setting is the command that sets a broker config for the whole cluster.
func setting(key, value string) controller.AlterConfigs {
	return controller.AlterConfigs{Resources: []controller.AlterResource{{Type: staterecord.ResourceBroker,
		Changes: []controller.ConfigChange{{Name: key, Op: controller.SetConfig, Value: &value}}}}}
}

func (c *council) submit(leader *voter, cmd any, committed bool) error {
	answered := false
	var failed error
	leader.q.Submit(cmd, func(reply any, err error) {
		answered, failed = true, err
		if all, ok := reply.([]controller.AlteredConfig); ok && err == nil {
			for _, one := range all {
				failed = errors.Join(failed, one.Err("change"))
			}
		}
		if err == nil {
			c.acknowledged(leader)
		}
	})
	c.settle()
	if answered != committed {
		return fmt.Errorf("the change was answered: %v, %w", answered, c.failed)
	}
	return errors.Join(failed, c.failed)
}

// acknowledged says that what is committed was on the disk of the first voter, if it leads or the majority is not one
// without it.
func (c *council) acknowledged(leader *voter) {
	hear := 0
	for _, v := range c.voters[1:] {
		if !v.cut && !v.actor.dead {
			hear++
		}
	}
	if leader == c.voters[0] || hear <= len(c.voters)/2 {
		c.learn()
		c.promise.acked = c.promise.end()
		c.promised()
	}
}

// whisper submits a change that goes no further than the page cache: what would come of it the process does not live to see.
func (c *council) whisper(leader *voter, key, value string) {
	c.host.chapter("change")
	leader.q.Submit(setting(key, value), func(any, error) {})
	c.stage.queue = nil
}

// restart kills the first voter's process, with everything it had in memory, and starts it on what the kernel kept.
func (c *council) restart() error {
	first := c.voters[0]
	first.actor.dead = true
	if err := c.host.kill(); err != nil {
		return err
	}
	return first.start()
}

// watchedLog is the log of the voter whose disk is watched.
type watchedLog struct {
	quorum.Log
	l *Log
}

func (w watchedLog) Append(now kafka.Instant, b record.Batch) error {
	w.l.host.chapter("append")
	w.l.grows(slices.Clone(b))
	return w.Log.Append(now, b)
}

func (w watchedLog) Flushed(upTo kafka.Offset)            { w.l.flushed(upTo) }
func (w watchedLog) TruncateTo(offset kafka.Offset) error { return w.l.Truncate(offset) }
func (w watchedLog) Restart(offset kafka.Offset) error    { return w.l.Restart(offset) }

func (w watchedLog) Trim(now kafka.Instant, start kafka.Offset) (int64, error) {
	if start > w.l.model().start {
		if err := w.l.DeleteRecords(start); err != nil {
			return 0, err
		}
	}
	err := w.l.Retain()
	return w.l.log.Size(), err
}

// Sync-s of the flush service are told apart in the trace: what is the log's, and what is the vote.
type watchedFlusher struct {
	to *disk.Flusher
	l  *Log
}

func (w watchedFlusher) Flush(targets []disk.Syncer, done func(error)) {
	ofLog, _ := w.l.log.Dirty()
	named := make([]disk.Syncer, len(targets))
	for i, t := range targets {
		named[i] = &watchedSync{t, w.l, "save the vote"}
		if slices.Contains(ofLog, t) {
			named[i] = &watchedSync{t, w.l, "flush"}
		}
	}
	w.to.Flush(named, done)
}

type watchedSync struct {
	disk.Syncer
	l    *Log
	name string
}

func (w *watchedSync) Sync() error {
	w.l.host.chapter("%s", w.name)
	return w.Syncer.Sync()
}

// watchedMachine tells when a snapshot begins.
type watchedMachine struct {
	*controller.Machine
	l *Log
}

func (w watchedMachine) Snapshot() iter.Seq[staterecord.Record] {
	w.l.host.chapter("snapshot")
	return w.Machine.Snapshot()
}

// witnessedLog is the log of another voter: what a leader writes first names who voted for it.
type witnessedLog struct {
	quorum.Log
	c *council
}

func (w witnessedLog) Append(now kafka.Instant, b record.Batch) error {
	if kind, value, err := b.Control(); b.IsControl() && err == nil && kind == record.ControlLeaderChange {
		change, err := record.ParseLeaderChange(value)
		if err != nil {
			return err
		}
		for _, v := range change.Granting {
			if v.ID == w.c.voters[0].key.NodeID && b.LeaderEpoch() > w.c.promise.epoch {
				w.c.promise.epoch, w.c.promise.voted = b.LeaderEpoch(), change.Leader
				w.c.promised()
			}
		}
	}
	return w.Log.Append(now, bytes.Clone(b))
}
