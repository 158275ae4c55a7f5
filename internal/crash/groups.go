package crash

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/milena-io/milena/internal/coordinator"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/machine/group"
	"github.com/milena-io/milena/internal/machine/group/classic"
	"github.com/milena-io/milena/internal/record"
)

// groups is a coordinator of a story, over the one partition of __consumer_offsets that it leads.
type groups struct {
	host  *Host
	log   *Log
	actor *actor
	c     *coordinator.Coordinator
	told  told
}

// coordinate opens the log of a coordinator and starts it.
func (s *Story) coordinate() (*groups, error) {
	h, err := s.Host()
	if err != nil {
		return nil, err
	}
	c := compacted()
	c.Accept.MaxMessageBytes = 1 << 20
	g := &groups{host: h, told: told{offsets: map[seat]kafka.Offset{}, asked: map[seat][]kafka.Offset{}, generations: map[string]int32{}}}
	if g.log, err = h.Open(kafka.TopicPartition{Topic: kafka.OffsetsTopic}, kafka.TopicID{4}, c); err != nil {
		return nil, err
	}
	return g, g.start()
}

// start begins a process. It leads in a new epoch, as every incarnation does.
func (g *groups) start() error {
	g.log.epoch++
	g.host.chapter("load the groups")
	g.actor = clocked(func() kafka.Instant { return g.host.story.Now })
	g.c = lead(g.actor, g.log.epoch, &offsetsLog{g.log.log, g.actor, g.log})
	g.promised()
	return g.actor.until("the groups are loaded", func() bool { return loaded(g.actor, g.c) })
}

// clocked is an actor whose timers are real.
func clocked(now func() kafka.Instant) *actor { return (&stage{now: now, step: time.Second}).actor(7) }

// lead makes a coordinator that leads the one partition.
func lead(a *actor, epoch kafka.LeaderEpoch, l coordinator.Log) *coordinator.Coordinator {
	conf := group.DefaultConfig()
	conf.Classic.InitialRebalanceDelay = 0
	c := coordinator.New(coordinator.Env{
		World: a, Logger: slog.New(slog.DiscardHandler), Config: conf, Partitions: func() int32 { return 1 },
		CommitTimeout: time.Hour, MaxBatchBytes: func() int { return 1 << 20 }, LoadBytes: 1 << 10,
	})
	c.Elected(0, epoch, l)
	return c
}

func loaded(a *actor, c *coordinator.Coordinator) bool {
	_, err := asked(a, c, "any", &group.Describe{Group: "any"})
	return err == nil
}

// asked submits a command and waits for its answer.
func asked(a *actor, c *coordinator.Coordinator, groupID string, cmd group.Command) (got any, failed error) {
	return heard(a, c, groupID, cmd, func(any) {})
}

// heard is asked, for who acts the moment that the answer comes.
func heard(a *actor, c *coordinator.Coordinator, groupID string, cmd group.Command, then func(reply any)) (got any, failed error) {
	answered := false
	c.Submit(groupID, cmd, func(reply any, err error) {
		if answered, got, failed = true, reply, err; err == nil {
			then(reply)
		}
	})
	if err := a.until(fmt.Sprintf("%T is answered", cmd), func() bool { return answered }); err != nil {
		return nil, err
	}
	return got, failed
}

// promised makes what was told a promise.
func (g *groups) promised() {
	t := g.told
	t.epoch = g.log.epoch
	t.offsets, t.asked, t.generations = maps.Clone(t.offsets), maps.Clone(t.asked), maps.Clone(t.generations)
	g.log.tenant.guest = t
	g.host.promise()
}

func commitOf(at seat, o kafka.Offset) *group.Commit {
	return &group.Commit{Group: at.group, Generation: -1, RetentionMs: -1, Offsets: []group.CommitOffset{
		{Partition: kafka.TopicPartition{Topic: "t", Partition: at.partition}, Offset: o, LeaderEpoch: -1}}}
}

// commit commits an offset, and promises it when that is acknowledged.
func (g *groups) commit(at seat, o kafka.Offset) error {
	g.host.chapter("commit")
	g.host.story.Now.WallMs += 7
	g.told.asked[at] = append(slices.Clip(g.told.asked[at]), o)
	g.promised()
	got, err := heard(g.actor, g.c, at.group, commitOf(at, o), func(any) { g.settled(at, o) })
	if err != nil {
		return err
	}
	if r := got.(group.CommitReply); r.Err != kafka.ErrNone || r.Codes[0] != kafka.ErrNone {
		return fmt.Errorf("commit: %+v", r)
	}
	return nil
}

// settled promises an offset.
func (g *groups) settled(at seat, o kafka.Offset) {
	g.told.offsets[at], g.told.asked[at] = o, nil
	g.promised()
}

// forget deletes a group's offset.
func (g *groups) forget(at seat) error {
	g.host.chapter("delete an offset")
	g.told.asked[at] = append(slices.Clip(g.told.asked[at]), kafka.NoOffset)
	g.promised()
	cmd := &group.DeleteOffsets{Group: at.group, Partitions: []kafka.TopicPartition{{Topic: "t", Partition: at.partition}}}
	got, err := heard(g.actor, g.c, at.group, cmd, func(any) { g.settled(at, kafka.NoOffset) })
	if err != nil {
		return err
	}
	if r := got.(group.DeleteOffsetsReply); r.Err != kafka.ErrNone || r.Codes[0] != kafka.ErrNone {
		return fmt.Errorf("delete: %+v", r)
	}
	return nil
}

// join makes a member of a group, alone or instead of the one before it, and promises the generation that it is told.
func (g *groups) join(groupID, member string) error {
	g.host.chapter("join")
	generation, err := join(g.actor, g.c, groupID, member)
	if err != nil {
		return err
	}
	g.told.generations[groupID] = generation
	g.promised()
	_, err = asked(g.actor, g.c, groupID, &classic.Sync{Group: groupID, MemberID: member, Generation: generation,
		Assignments: []classic.MemberAssignment{{MemberID: member, Bytes: []byte("all")}}})
	return err
}

func join(a *actor, c *coordinator.Coordinator, groupID, member string) (int32, error) {
	got, err := asked(a, c, groupID, &classic.Join{Group: groupID, NewMemberID: member, SessionTimeoutMs: 10_000, RebalanceTimeoutMs: 60_000,
		ProtocolType: "consumer", Protocols: []classic.Protocol{{Name: "range", Metadata: []byte{}}}})
	if err != nil {
		return 0, err
	}
	if r := got.(classic.JoinReply); r.Err == kafka.ErrNone {
		return r.Generation, nil
	}
	return 0, fmt.Errorf("join: %+v", got)
}

// restart kills the process and starts the next.
func (g *groups) restart() error {
	g.actor.dead = true
	return errors.Join(g.host.kill(), g.start())
}

// offsetsLog is the log as the coordinator has it. Without a story it is one that nobody watches.
type offsetsLog struct {
	log     *log.Log
	actor   *actor
	watched *Log
}

// Append writes, flushes, and tells that the high watermark has passed.
func (o *offsetsLog) Append(epoch kafka.LeaderEpoch, b record.Batch, done func(kafka.Offset, error)) {
	base := o.log.Offsets().End
	if w := o.watched; w != nil {
		w.host.chapter("append")
		if err := w.lead(b, log.Coordinator); err != nil {
			done(0, err)
			return
		}
		o.actor.Go(func() { done(base, w.Flush()) })
		return
	}
	if _, err := o.log.AppendAsLeader(o.actor.Now(), b, epoch, log.Coordinator); err != nil {
		done(0, err)
		return
	}
	o.actor.Go(func() { done(base, nil) })
}

func (o *offsetsLog) Bounds(kafka.LeaderEpoch) (start, end kafka.Offset, err error) {
	at := o.log.Offsets()
	return at.LogStart, at.End, nil
}

func (o *offsetsLog) Confirm(_ kafka.LeaderEpoch, done func(error)) { done(nil) }

func (o *offsetsLog) Read(from kafka.Offset, maxBytes int) ([]byte, error) {
	s, err := o.log.Read(from, log.ReadOptions{MaxBytes: maxBytes, MinOne: true, Upper: o.log.Offsets().End})
	if err != nil {
		return nil, err
	}
	defer s.Release()
	return s.AppendTo(nil)
}

func (o *offsetsLog) Committed(_ kafka.LeaderEpoch, _ kafka.Offset, done func(error)) { done(nil) }
