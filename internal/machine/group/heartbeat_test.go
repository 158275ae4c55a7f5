package group_test

import (
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group"
	"github.com/milena-io/milena/internal/machine/group/classic"
)

func TestHeartbeatAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		before func(*lab, []*member)
		change func(*classic.Heartbeat)
		want   kafka.ErrorCode
	}{
		"a stable group":       {nil, func(*classic.Heartbeat) {}, kafka.ErrNone},
		"no group id":          {nil, func(h *classic.Heartbeat) { h.Group = "" }, kafka.ErrInvalidGroupId},
		"no such group":        {nil, func(h *classic.Heartbeat) { h.Group = "other" }, kafka.ErrUnknownMemberId},
		"no such member":       {nil, func(h *classic.Heartbeat) { h.MemberID = "m-9" }, kafka.ErrUnknownMemberId},
		"no such instance":     {nil, func(h *classic.Heartbeat) { h.InstanceID = text("i") }, kafka.ErrUnknownMemberId},
		"another generation":   {nil, func(h *classic.Heartbeat) { h.Generation++ }, kafka.ErrIllegalGeneration},
		"while members gather": {func(l *lab, _ []*member) { l.enter("m-3") }, func(*classic.Heartbeat) {}, kafka.ErrRebalanceInProgress},
		"while the leader assigns": {func(l *lab, all []*member) {
			for _, m := range all {
				m.rejoin()
			}
			all[0].joined()
		}, func(h *classic.Heartbeat) { h.Generation++ }, kafka.ErrNone},
		"an id not come back with": {func(l *lab, _ []*member) {
			j := request("")
			j.NewMemberID = "m-3"
			l.do(j)
		}, func(h *classic.Heartbeat) { h.MemberID = "m-3" }, kafka.ErrUnknownMemberId},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			all := l.stable("m-1", "m-2")
			h := &classic.Heartbeat{Group: "g", MemberID: "m-1", Generation: all[0].generation}
			if test.before != nil {
				test.before(l, all)
			}
			test.change(h)
			if r := ask[classic.HeartbeatReply](l, h); r.Err != test.want {
				t.Errorf("answered %s, want %s", r.Err, test.want)
			}
		})
	}
}

// A session ends when its timeout has passed since the last sign of life, to the tick.
func TestSessionExpires(t *testing.T) {
	for name, alive := range map[string]func(*member) kafka.ErrorCode{
		"a heartbeat": (*member).beat,
		"a commit":    func(m *member) kafka.ErrorCode { return m.commitAt(1) },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			all := l.stable("m-1", "m-2")
			l.pass(9 * time.Second)
			if code := alive(all[0]); code != kafka.ErrNone {
				t.Fatal(code)
			}
			l.pass(time.Second - 1)
			l.state(classic.Stable)
			l.pass(1) // the other one was silent for ten seconds
			l.state(classic.PreparingRebalance)
			if code := all[1].beat(); code != kafka.ErrUnknownMemberId {
				t.Errorf("the silent one: %s", code)
			}
			if code := all[0].beat(); code != kafka.ErrRebalanceInProgress {
				t.Errorf("the living one: %s", code)
			}
			if n := len(l.describe().Members); n != 1 {
				t.Errorf("%d members are left", n)
			}
		})
	}
}

// The last member's session ends: the group is empty, keeps its offsets and its generation goes on.
func TestLastMemberExpires(t *testing.T) {
	l := newLab(t)
	m := l.stable("m-1")[0]
	if code := m.commitAt(7); code != kafka.ErrNone {
		t.Fatal(code)
	}
	generation := m.generation
	l.pass(10 * time.Second)
	l.state(classic.Empty)
	if o := l.fetchAt(); o != 7 {
		t.Errorf("the offset is %d", o)
	}
	if code := m.commitAt(8); code != kafka.ErrUnknownMemberId {
		t.Errorf("a commit of the one that expired: %s", code)
	}
	m = l.stable("m-2")[0]
	if m.generation <= generation+1 {
		t.Errorf("generation %d after %d and an empty one", m.generation, generation)
	}
}

// A member whose join is parked needs no heartbeats, unless it is new: a client that gave up its first join leaves a
// member behind that nobody will ever speak for.
func TestParkedMembersSessions(t *testing.T) {
	l := newLab(t, func(c *group.Config) { c.Classic.NewMemberJoinTimeout = 30 * time.Second })
	all := l.stable("m-1", "m-2")
	all[0].rejoin()
	fresh := l.enter("m-3")
	for range 5 {
		l.pass(5 * time.Second)
		all[1].beat() // keeps the rebalance open
	}
	if !l.parked(all[0].join) || !l.parked(fresh.join) {
		t.Fatal("somebody was answered before everybody had joined")
	}
	l.pass(5 * time.Second) // 30 s: the new member's time is over
	if r := reply[classic.JoinReply](l, fresh.join); r.Err != kafka.ErrUnknownMemberId || r.MemberID != "" {
		t.Errorf("the new member is told %+v", r)
	}
	all[1].beat()
	l.state(classic.PreparingRebalance)
	all[1].rejoin()
	all[0].joined()
}

// Sessions start anew with a new coordinator: nobody knows how long its members were silent.
func TestSessionsAfterLoading(t *testing.T) {
	l := newLab(t)
	all := l.stable("m-1", "m-2")
	l.now = l.now.Add(time.Hour)
	l.reload()
	l.state(classic.Stable)
	l.pass(10*time.Second - 1)
	if code := all[0].beat(); code != kafka.ErrNone {
		t.Errorf("a heartbeat of the same generation: %s", code)
	}
	l.pass(1)
	l.state(classic.PreparingRebalance)
	if code := all[0].beat(); code != kafka.ErrRebalanceInProgress {
		t.Errorf("the living one: %s", code)
	}
}
