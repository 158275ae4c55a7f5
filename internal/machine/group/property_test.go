package group_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group"
	"github.com/milena-io/milena/internal/machine/group/classic"
	rec "github.com/milena-io/milena/internal/staterecord/group"
)

// storm is a few clients, two groups and a log that fails now and then, from a seed. It knows what has been acknowledged.
type storm struct {
	*lab
	rng     *rand.Rand
	clients []*client
	asked   map[classic.Token]func(any) // what to do with a reply
	told    map[string]int32            // highest generation told, by group
	acked   map[offset]kafka.Offset     // what must be found
	serial  int
	trace   []string
}

type offset struct {
	group string
	kafka.TopicPartition
}

// client is one member, or somebody who would be.
type client struct {
	group      string
	instance   *string
	id         string
	generation int32
	leader     bool
	members    []string
	busy       bool
}

func newStorm(t testing.TB, seed uint64) *storm {
	rng := rand.New(rand.NewPCG(seed, 1))
	s := &storm{rng: rng, asked: map[classic.Token]func(any){}, told: map[string]int32{}, acked: map[offset]kafka.Offset{}}
	s.lab = newLab(t, func(c *group.Config) {
		c.Classic.InitialRebalanceDelay = time.Duration(rng.IntN(3)) * time.Second
		c.Classic.MaxSize = 2 + rng.IntN(4)
	})
	for i := range 6 {
		c := &client{group: string(rune('g' + i%2))}
		if rng.IntN(3) == 0 {
			c.instance = text(fmt.Sprintf("i-%d", rng.IntN(4)))
		}
		s.clients = append(s.clients, c)
	}
	return s
}

func (s *storm) ask(cmd group.Command, then func(any)) {
	t := s.do(cmd)
	s.asked[t] = then
	s.trace = append(s.trace, fmt.Sprintf("%s %d %T %+v", s.now.Mono, t, cmd, cmd))
}

// hear gives the replies that have come to whom they belong.
func (s *storm) hear() {
	for _, t := range slices.Sorted(maps.Keys(s.asked)) {
		if body, ok := s.replies[t]; ok {
			then := s.asked[t]
			delete(s.asked, t)
			then(body)
		}
	}
}

func (s *storm) step() {
	switch n := s.rng.IntN(100); {
	case n < 75:
		s.act(s.clients[s.rng.IntN(len(s.clients))])
	case n < 84:
		s.pass(time.Duration(s.rng.IntN(8000)) * time.Millisecond)
	case n < 86:
		s.admin()
	case n < 90:
		s.hold = true
	case n < 94:
		s.settle()
		s.hold = false
	case n < 98:
		s.fail()
		s.hold = false
	default:
		s.crash()
	}
	s.hear()
	if problem := s.m.Check(); problem != "" {
		s.t.Fatal(problem)
	}
}

// crash loses the coordinator with everything that is not committed, and every request.
func (s *storm) crash() {
	s.trace = append(s.trace, fmt.Sprintf("%s crash at %d of %d", s.now.Mono, s.commit, len(s.log)))
	for t := range s.asked {
		if s.parked(t) {
			s.replies[t] = nil
		}
	}
	s.hold = false
	s.reload()
}

func (s *storm) act(c *client) {
	if c.busy && s.rng.IntN(10) > 0 {
		return
	}
	switch n := s.rng.IntN(10); {
	case c.id == "" || c.generation == 0 || n == 0:
		s.join(c)
	case n < 3 || c.members != nil:
		s.sync(c)
	case n < 6:
		s.beat(c)
	case n < 9:
		s.commitFor(c)
	default:
		s.leaveAs(c)
	}
}

func (s *storm) join(c *client) {
	s.serial++
	j := &classic.Join{Group: c.group, MemberID: c.id, NewMemberID: fmt.Sprintf("m-%d", s.serial), InstanceID: c.instance,
		Client: classic.Client{ID: "c"}, SessionTimeoutMs: 6000 + int32(s.rng.IntN(10_000)), RebalanceTimeoutMs: int32(s.rng.IntN(20_000)),
		ProtocolType: "consumer", RequireMemberID: s.rng.IntN(4) > 0, SkipAssignment: s.rng.IntN(2) == 0}
	for _, p := range [][]string{{"range"}, {"range", "sticky"}, {"sticky", "range"}}[s.rng.IntN(3)] {
		j.Protocols = append(j.Protocols, classic.Protocol{Name: p, Metadata: rec.AppendSubscription(nil, []string{"t", "u"}[s.rng.IntN(2)])})
	}
	c.busy, c.members = true, nil
	s.ask(j, func(body any) { s.joinedAs(c, body) })
}

func (s *storm) joinedAs(c *client, body any) {
	c.busy = false
	r, ok := body.(classic.JoinReply)
	if !ok {
		return
	}
	switch r.Err {
	case kafka.ErrNone:
		if r.Generation < s.told[c.group] {
			s.t.Fatalf("group %s: %s is told generation %d, and %d was told before", c.group, r.MemberID, r.Generation, s.told[c.group])
		}
		s.told[c.group] = r.Generation
		c.id, c.generation, c.leader = r.MemberID, r.Generation, r.Leader == r.MemberID
		for _, m := range r.Members {
			c.members = append(c.members, m.ID)
		}
		if c.leader != (len(r.Members) > 0) {
			s.t.Fatalf("group %s: leader %v is told of %d members", c.group, c.leader, len(r.Members))
		}
	case kafka.ErrMemberIdRequired:
		c.id = r.MemberID
	default:
		c.id, c.generation = "", 0
	}
}

func (s *storm) sync(c *client) {
	q := &classic.Sync{Group: c.group, MemberID: c.id, InstanceID: c.instance, Generation: c.generation}
	for _, m := range c.members {
		q.Assignments = append(q.Assignments, classic.MemberAssignment{MemberID: m, Bytes: fmt.Appendf(nil, "%d", c.generation)})
	}
	c.members, c.busy = nil, true
	s.ask(q, func(body any) {
		c.busy = false
		r, ok := body.(classic.SyncReply)
		if ok && r.Err == kafka.ErrNone && len(r.Assignment) > 0 && string(r.Assignment) != fmt.Sprint(q.Generation) {
			s.t.Fatalf("group %s: %s asks in generation %d and gets the assignment of %s", c.group, q.MemberID, q.Generation, r.Assignment)
		}
		s.lose(c, r.Err)
	})
}

func (s *storm) lose(c *client, code kafka.ErrorCode) {
	switch code {
	case kafka.ErrUnknownMemberId, kafka.ErrFencedInstanceId:
		c.id, c.generation = "", 0
	case kafka.ErrIllegalGeneration, kafka.ErrRebalanceInProgress:
		c.generation = 0
	}
}

func (s *storm) beat(c *client) {
	s.ask(&classic.Heartbeat{Group: c.group, MemberID: c.id, InstanceID: c.instance, Generation: c.generation}, func(body any) {
		if r, ok := body.(classic.HeartbeatReply); ok {
			s.lose(c, r.Err)
		}
	})
}

func (s *storm) commitFor(c *client) {
	s.serial++
	p := kafka.TopicPartition{Topic: []string{"t", "u"}[s.rng.IntN(2)], Partition: int32(s.rng.IntN(2))}
	q := &group.Commit{Group: c.group, MemberID: c.id, InstanceID: c.instance, Generation: c.generation, RetentionMs: -1,
		MissingGroup: kafka.ErrIllegalGeneration, Offsets: []group.CommitOffset{{Partition: p, Offset: kafka.Offset(s.serial)}}}
	if s.rng.IntN(5) == 0 {
		q.MemberID, q.InstanceID, q.Generation = "", nil, -1
	}
	s.ask(q, func(body any) {
		r, ok := body.(group.CommitReply)
		if ok && r.Err == kafka.ErrNone && r.Codes[0] == kafka.ErrNone {
			s.acked[offset{q.Group, p}] = q.Offsets[0].Offset
		}
		if q.MemberID != "" {
			s.lose(c, r.Err)
		}
	})
}

func (s *storm) leaveAs(c *client) {
	s.ask(&classic.Leave{Group: c.group, Members: []classic.Leaving{{MemberID: c.id, InstanceID: c.instance}}}, func(any) {})
	if s.rng.IntN(4) > 0 { // now and then one goes on as if it had not left
		c.id, c.generation = "", 0
	}
}

func (s *storm) admin() {
	id := string(rune('g' + s.rng.IntN(2)))
	if s.rng.IntN(2) == 0 {
		s.ask(&group.DeleteGroup{Group: id}, func(body any) {
			if r, ok := body.(group.DeleteGroupReply); ok && r.Err == kafka.ErrNone {
				s.told[id] = 0
				maps.DeleteFunc(s.acked, func(o offset, _ kafka.Offset) bool { return o.group == id })
			}
		})
		return
	}
	p := kafka.TopicPartition{Topic: "u", Partition: int32(s.rng.IntN(2))}
	s.ask(&group.DeleteOffsets{Group: id, Partitions: []kafka.TopicPartition{p}}, func(body any) {
		if r, ok := body.(group.DeleteOffsetsReply); ok && r.Err == kafka.ErrNone && r.Codes[0] == kafka.ErrNone {
			delete(s.acked, offset{id, p})
		}
	})
}

// replayed compares the machine with one that reads its log.
func (s *storm) replayed() {
	again := group.New(s.cfg)
	for i, r := range s.log {
		again.Apply(kafka.Offset(i), kafka.NoProducerID, r)
	}
	if was, is := s.m.Durable(), again.Durable(); was != is {
		s.t.Fatalf("the machine says\n%s\nits log says\n%s", was, is)
	}
}

// found checks that everything acknowledged is there, and nothing that was deleted.
func (s *storm) found() {
	got := map[offset]kafka.Offset{}
	for _, id := range []string{"g", "h"} {
		for _, o := range ask[group.FetchReply](s.lab, &group.FetchOffsets{Group: id, All: true}).Offsets {
			got[offset{id, o.Partition}] = o.Offset
		}
	}
	if !maps.Equal(got, s.acked) {
		s.t.Fatalf("acknowledged %v, found %v", s.acked, got)
	}
}

func (s *storm) run(steps int) {
	for i := range steps {
		s.step()
		if i%16 == 0 {
			s.replayed()
		}
		if i%16 == 8 {
			s.settle()
			s.hear()
			s.found()
		}
	}
	s.settle()
	s.hold = false
	s.pass(10 * time.Minute)
	s.hear()
	if len(s.asked) > 0 {
		s.t.Fatalf("ten minutes after the last request %d are not answered", len(s.asked))
	}
	s.replayed()
	s.found()
}

// Random clients, failing appends and lost coordinators, thousands of seeds: what is acknowledged is found, what the log
// says is what the machine says, generations rise, every request is answered, every invariant holds.
func TestStorm(t *testing.T) {
	const seeds, steps = 3000, 150
	for seed := range seeds {
		s := newStorm(t, uint64(seed))
		func() {
			defer func() {
				if t.Failed() {
					for _, line := range s.trace[max(0, len(s.trace)-40):] {
						t.Log(line)
					}
					t.Fatalf("seed %d", seed)
				}
			}()
			s.run(steps)
		}()
	}
}

// The same seed leads to the same records.
func TestStormIsDeterministic(t *testing.T) {
	for seed := range uint64(30) {
		var logs [2]string
		for i := range logs {
			s := newStorm(t, seed)
			s.run(300)
			for _, r := range s.log {
				k, v := rec.Encode(r)
				logs[i] += fmt.Sprintf("%x=%x\n", k, v)
			}
		}
		if logs[0] != logs[1] {
			t.Fatalf("seed %d leads to two logs", seed)
		}
	}
}
