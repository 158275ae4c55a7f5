package coordinator

import (
	"fmt"
	"strings"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group"
	"github.com/milena-io/milena/internal/machine/group/classic"
)

// partitionsOfT is what the members of a group share.
const partitionsOfT = 5

// bot is one consumer: it joins, syncs, sends heartbeats and commits what it owns, and believes what it was told until
// it hears otherwise.
type bot struct {
	w          *walk
	group      string
	name       string
	instance   *string
	id         string
	drawn      int
	life       int // what an earlier life still waits for is not for this one
	generation int32
	member     bool
	owned      []int32
	asleep     time.Duration
}

// mine guards a continuation of this life.
func (b *bot) mine(f func()) func() {
	life := b.life
	return func() {
		if b.life == life && !b.w.over {
			f()
		}
	}
}

func (b *bot) later(d time.Duration, f func()) {
	d = max(d, b.asleep-b.w.w.Now().Mono)
	b.w.w.After(d, b.mine(f))
}

func (b *bot) ask(cmd group.Command, done func(reply any, err error)) {
	life := b.life
	b.w.ask(b.group, cmd, func(reply any, err error) {
		if b.life == life && !b.w.over {
			done(reply, err)
		}
	})
}

func (b *bot) join() {
	b.member = false
	j := &classic.Join{Group: b.group, MemberID: b.id, InstanceID: b.instance, SessionTimeoutMs: 6000, RebalanceTimeoutMs: 8000,
		ProtocolType: "consumer", Protocols: []classic.Protocol{{Name: "range", Metadata: []byte(b.name)}},
		RequireMemberID: true, SkipAssignment: b.w.rand.IntN(2) == 0}
	if b.id == "" {
		b.drawn++
		j.NewMemberID = fmt.Sprintf("%s-%d", b.name, b.drawn)
	}
	b.ask(j, func(reply any, err error) {
		if err != nil {
			b.retry(err, b.join)
			return
		}
		r := reply.(classic.JoinReply)
		switch r.Err {
		case kafka.ErrNone:
			b.id, b.generation = r.MemberID, r.Generation
			b.sync(&r)
		case kafka.ErrMemberIdRequired:
			b.id = r.MemberID
			b.later(0, b.join)
		default:
			b.hear(r.Err)
		}
	})
}

// retry comes again after an error of the coordinator.
func (b *bot) retry(err error, f func()) {
	switch fault.CodeOf(err) {
	case kafka.ErrNotCoordinator, kafka.ErrCoordinatorNotAvailable, kafka.ErrCoordinatorLoadInProgress, kafka.ErrNetworkException,
		kafka.ErrUnknownServerError:
		b.later(100*time.Millisecond, f)
	default:
		b.w.t.Errorf("no consumer expects %v", err)
	}
}

// hear does what an error of the group asks for.
func (b *bot) hear(code kafka.ErrorCode) {
	switch code {
	case kafka.ErrUnknownMemberId, kafka.ErrFencedInstanceId:
		b.id, b.generation = "", -1
	case kafka.ErrIllegalGeneration, kafka.ErrRebalanceInProgress, kafka.ErrCoordinatorNotAvailable:
	default:
		b.w.t.Errorf("no consumer expects %v", code)
	}
	b.later(50*time.Millisecond, b.join)
}

func (b *bot) sync(j *classic.JoinReply) {
	s := &classic.Sync{Group: b.group, MemberID: b.id, InstanceID: b.instance, Generation: b.generation}
	if len(j.Members) > 0 && !j.SkipAssignment {
		shares := make([]string, len(j.Members))
		for p := range partitionsOfT {
			shares[p%len(shares)] += fmt.Sprint(" ", p)
		}
		for i, m := range j.Members {
			text := fmt.Sprintf("%d %s%s", b.generation, label(m.ID, m.InstanceID), shares[i])
			s.Assignments = append(s.Assignments, classic.MemberAssignment{MemberID: m.ID, Bytes: []byte(text)})
		}
	}
	b.ask(s, func(reply any, err error) {
		if err != nil {
			b.retry(err, func() { b.sync(j) })
			return
		}
		r := reply.(classic.SyncReply)
		if r.Err != kafka.ErrNone {
			b.hear(r.Err)
			return
		}
		b.member, b.owned = true, nil
		if len(r.Assignment) > 0 {
			for _, f := range strings.Fields(string(r.Assignment))[2:] {
				b.owned = append(b.owned, int32(f[0]-'0'))
			}
		}
		b.later(100*time.Millisecond, b.live)
	})
}

// live commits what it owns, which may be more often than answers come, and sends a heartbeat.
func (b *bot) live() {
	for _, p := range b.owned {
		if b.w.rand.IntN(3) > 0 {
			b.ask(b.w.commit(b.group, b.id, b.instance, b.generation, p), func(any, error) {})
		}
	}
	b.ask(&classic.Heartbeat{Group: b.group, MemberID: b.id, InstanceID: b.instance, Generation: b.generation}, func(reply any, err error) {
		switch {
		case err != nil && fault.CodeOf(err) == kafka.ErrCoordinatorLoadInProgress:
			b.later(time.Second, b.live)
		case err != nil:
			b.retry(err, b.live)
		case reply.(classic.HeartbeatReply).Err != kafka.ErrNone:
			b.hear(reply.(classic.HeartbeatReply).Err)
		default:
			b.later(time.Duration(b.w.rand.Int64N(int64(2*time.Second))), b.live)
		}
	})
}

// restart begins a new life that knows nothing of the old one but the instance id.
func (b *bot) restart() {
	b.life++
	b.id, b.generation, b.owned, b.asleep = "", -1, nil, 0
	b.join()
}

// leave says good-bye and comes back later.
func (b *bot) leave() {
	if b.id == "" {
		return
	}
	b.w.ask(b.group, &classic.Leave{Group: b.group, Members: []classic.Leaving{{MemberID: b.id, InstanceID: b.instance}}}, func(any, error) {})
	b.life++
	b.id, b.generation, b.owned, b.member = "", -1, nil, false
	b.later(time.Duration(b.w.rand.Int64N(int64(10*time.Second))), b.join)
}

// label names a member by what outlives its restarts.
func label(id string, instance *string) string {
	if instance != nil {
		return "static:" + *instance
	}
	return id
}
