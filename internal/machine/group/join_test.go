package group_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group"
	"github.com/milena-io/milena/internal/machine/group/classic"
)

// Every refusal of a JoinGroup by what the group is and what the member says.
func TestJoinRefusals(t *testing.T) {
	long := strings.Repeat("x", 1<<15)
	nothing := func(*lab) {}
	stable := func(l *lab) { l.stable("m-1", "m-2") }
	static := func(l *lab) { l.settleGroup([]*member{l.enterStatic("i", "m-1")}) }
	for name, test := range map[string]struct {
		before func(*lab)
		change func(*classic.Join)
		want   kafka.ErrorCode
		member string // in the reply
	}{
		"no group id":                 {nothing, func(j *classic.Join) { j.Group = "" }, kafka.ErrInvalidGroupId, ""},
		"a group id no record holds":  {nothing, func(j *classic.Join) { j.Group = long }, kafka.ErrInvalidGroupId, ""},
		"a short session":             {nothing, func(j *classic.Join) { j.SessionTimeoutMs = 5_999 }, kafka.ErrInvalidSessionTimeout, ""},
		"a long session":              {nothing, func(j *classic.Join) { j.SessionTimeoutMs = 1_800_001 }, kafka.ErrInvalidSessionTimeout, ""},
		"an instance no record holds": {nothing, func(j *classic.Join) { j.InstanceID = &long }, kafka.ErrInvalidRequest, ""},
		"a protocol no record holds":  {nothing, func(j *classic.Join) { j.Protocols[0].Name = long }, kafka.ErrInvalidRequest, ""},
		"a member of no group":        {nothing, func(j *classic.Join) { j.MemberID = "m-9" }, kafka.ErrUnknownMemberId, "m-9"},
		"a member of another time":    {stable, func(j *classic.Join) { j.MemberID = "m-9" }, kafka.ErrUnknownMemberId, "m-9"},
		"no protocol":                 {nothing, func(j *classic.Join) { j.Protocols = nil }, kafka.ErrInconsistentGroupProtocol, ""},
		"no protocol type":            {nothing, func(j *classic.Join) { j.ProtocolType = "" }, kafka.ErrInconsistentGroupProtocol, ""},
		"another protocol type":       {stable, func(j *classic.Join) { j.ProtocolType = "connect" }, kafka.ErrInconsistentGroupProtocol, ""},
		"a protocol nobody else has":  {stable, func(j *classic.Join) { j.Protocols[0].Name = "sticky" }, kafka.ErrInconsistentGroupProtocol, ""},
		"a known member's new type":   {stable, func(j *classic.Join) { j.MemberID, j.ProtocolType = "m-1", "connect" }, kafka.ErrInconsistentGroupProtocol, "m-1"},
		"a fenced instance":           {static, func(j *classic.Join) { j.MemberID, j.InstanceID = "m-0", text("i") }, kafka.ErrFencedInstanceId, "m-0"},
		"an instance with another id": {static, func(j *classic.Join) { j.MemberID, j.InstanceID = "m-1", text("i-2") }, kafka.ErrUnknownMemberId, "m-1"},
		"a pending id with instance":  {func(l *lab) { j := request(""); j.NewMemberID = "m-1"; l.do(j) }, func(j *classic.Join) { j.MemberID, j.InstanceID = "m-1", text("i") }, kafka.ErrUnknownMemberId, "m-1"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			test.before(l)
			before := fmt.Sprintf("%+v", l.describe())
			j := request("")
			j.NewMemberID = "fresh"
			test.change(j)
			r := ask[classic.JoinReply](l, j)
			if r.Err != test.want || r.MemberID != test.member || r.Generation != -1 || r.Leader != "" || r.Members != nil {
				t.Errorf("answered %+v, want %s for member %q", r, test.want, test.member)
			}
			if after := fmt.Sprintf("%+v", l.describe()); after != before {
				t.Errorf("the group was %s and is %s", before, after)
			}
		})
	}
}

// Before version 4 a member counts at once, and a group that never got a member leaves nothing behind.
func TestMemberIDRequired(t *testing.T) {
	l := newLab(t)
	old := request("")
	old.NewMemberID, old.RequireMemberID = "m-1", false
	if r := reply[classic.JoinReply](l, l.do(old)); r.Err != kafka.ErrNone || r.Generation != 1 || r.Leader != "m-1" {
		t.Errorf("an old client is answered %+v", r)
	}

	l = newLab(t)
	j := request("")
	j.NewMemberID = "m-1"
	if r := ask[classic.JoinReply](l, j); r.Err != kafka.ErrMemberIdRequired || r.MemberID != "m-1" {
		t.Errorf("a new client is answered %+v", r)
	}
	l.state(classic.Empty)
	if n := len(l.describe().Members); n != 0 {
		t.Errorf("%d members, and nobody has come back with an id", n)
	}
	l.pass(10*time.Second - 1)
	l.state(classic.Empty)
	l.pass(1)
	l.state(classic.Dead) // its session is over
	if r := ask[classic.JoinReply](l, request("m-1")); r.Err != kafka.ErrUnknownMemberId {
		t.Errorf("the id is worth something after its session: %+v", r)
	}
	if len(l.log) != 0 {
		t.Errorf("%d records for a group that never was", len(l.log))
	}
}

// The first member leads, is told everybody's metadata, and the others nobody's; all are told the same generation.
func TestJoinReplies(t *testing.T) {
	l := newLab(t)
	a := l.enter("m-1")
	a.joined()
	b, c := l.enter("m-2"), l.enter("m-3")
	for _, m := range []*member{b, c} {
		if !l.parked(m.join) {
			t.Fatalf("%s is answered before everybody has joined", m.id)
		}
	}
	if code := a.beat(); code != kafka.ErrRebalanceInProgress {
		t.Errorf("the first member's heartbeat: %s", code)
	}
	a.rejoin()
	for _, m := range []*member{a, b, c} {
		r := m.joined()
		if r.Generation != 2 || r.Leader != "m-1" || r.Protocol != "range" || r.ProtocolType != "consumer" || r.SkipAssignment {
			t.Errorf("%s is told %+v", m.id, r)
		}
		if m != a && r.Members != nil {
			t.Errorf("%s is told about members and does not lead", m.id)
		}
		if m == a {
			var ids []string
			for _, other := range r.Members {
				ids = append(ids, other.ID)
				if string(other.Metadata) != string(subscription) || other.InstanceID != nil {
					t.Errorf("the leader is told %+v", other)
				}
			}
			if strings.Join(ids, " ") != "m-1 m-2 m-3" {
				t.Errorf("the leader is told of %v", ids)
			}
		}
	}
}

// The protocol that most prefer among those everybody has wins; the leader's order decides a tie.
func TestProtocolVote(t *testing.T) {
	for _, test := range []struct {
		members [][]string
		want    string
	}{
		{[][]string{{"a", "b"}}, "a"},
		{[][]string{{"a", "b"}, {"b", "a"}}, "a"},
		{[][]string{{"a", "b"}, {"b", "a"}, {"b", "a"}}, "b"},
		{[][]string{{"x", "a", "b"}, {"b", "a"}, {"x", "b", "a"}}, "b"},
		{[][]string{{"a", "a", "b"}, {"b"}}, "b"},
	} {
		l := newLab(t, func(c *group.Config) { c.Classic.InitialRebalanceDelay = time.Second })
		var all []*member
		for i, ps := range test.members {
			all = append(all, l.enter(fmt.Sprintf("m-%d", i+1), ps...))
		}
		l.pass(2 * time.Second)
		for _, m := range all {
			if r := m.joined(); r.Protocol != test.want {
				t.Errorf("%v: %s is told %q, want %q", test.members, m.id, r.Protocol, test.want)
			}
		}
	}
}

// A member that joins again: what it hears depends on what it brings and who it is.
func TestRejoin(t *testing.T) {
	changed := func(id string) *classic.Join {
		j := request(id)
		j.Protocols[0].Metadata = append([]byte(nil), append(subscription, 1)...)
		return j
	}
	for name, test := range map[string]struct {
		stable    bool
		join      *classic.Join
		rebalance bool
		told      int // members in the reply, when there is no rebalance
	}{
		"a follower with nothing new":                {true, request("m-2"), false, 0},
		"a follower with new metadata":               {true, changed("m-2"), true, 0},
		"the leader":                                 {true, request("m-1"), true, 0},
		"a follower that lost the answer":            {false, request("m-2"), false, 0},
		"the leader that lost the answer":            {false, request("m-1"), false, 2},
		"new metadata while the leader is assigning": {false, changed("m-2"), true, 0},
		"the leader's new metadata while it assigns": {false, changed("m-1"), true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			all := l.stable("m-1", "m-2")
			if !test.stable {
				all[0].rejoin()
				all[1].rejoin()
				all[0].joined()
				all[1].joined()
				l.state(classic.CompletingRebalance)
			}
			generation := all[0].generation
			token := l.do(test.join)
			if l.parked(token) != test.rebalance {
				t.Fatalf("parked %v, want %v", l.parked(token), test.rebalance)
			}
			if test.rebalance {
				l.state(classic.PreparingRebalance)
				return
			}
			r := reply[classic.JoinReply](l, token)
			if r.Err != kafka.ErrNone || r.Generation != generation || r.Leader != "m-1" || len(r.Members) != test.told || r.SkipAssignment {
				t.Errorf("told %+v", r)
			}
		})
	}
}

// A member that asks twice has given up its first request, which is answered so that its connection goes on.
func TestJoinTwice(t *testing.T) {
	l := newLab(t)
	all := l.stable("m-1", "m-2")
	all[0].rejoin()
	first := all[0].join
	all[0].rejoin()
	if r := reply[classic.JoinReply](l, first); r.Err != kafka.ErrCoordinatorNotAvailable {
		t.Errorf("the first is answered %+v", r)
	}
	if !l.parked(all[0].join) {
		t.Error("the second is answered before the other member has joined")
	}
	all[1].rejoin()
	all[0].joined()
}

func TestGroupMaxSize(t *testing.T) {
	small := func(c *group.Config) { c.Classic.MaxSize = 2 }
	l := newLab(t, small)
	l.stable("m-1", "m-2")
	j := request("")
	j.NewMemberID = "m-3"
	if r := ask[classic.JoinReply](l, j); r.Err != kafka.ErrGroupMaxSizeReached || r.MemberID != "" {
		t.Errorf("a third member of a stable group of two: %+v", r)
	}
	l.state(classic.Stable)
	if r := ask[classic.JoinReply](l, request("m-2")); r.Err != kafka.ErrNone {
		t.Errorf("a known member: %+v", r)
	}

	// Among those who were given an id, whoever comes last is out.
	l = newLab(t, small, func(c *group.Config) { c.Classic.InitialRebalanceDelay = time.Second })
	for i := range 3 {
		j := request("")
		j.NewMemberID = fmt.Sprintf("m-%d", i+1)
		ask[classic.JoinReply](l, j)
	}
	a, b, c := l.do(request("m-1")), l.do(request("m-2")), l.do(request("m-3"))
	if r := reply[classic.JoinReply](l, c); r.Err != kafka.ErrGroupMaxSizeReached {
		t.Errorf("the third: %+v", r)
	}
	l.pass(5 * time.Second)
	if reply[classic.JoinReply](l, a).Err != kafka.ErrNone || reply[classic.JoinReply](l, b).Err != kafka.ErrNone {
		t.Error("the first two are not in")
	}
	if r := ask[classic.JoinReply](l, request("m-3")); r.Err != kafka.ErrGroupMaxSizeReached {
		t.Errorf("the third, again: %+v", r)
	}
}

// A limit that was lowered while the group was elsewhere: it rebalances when it is loaded, and keeps whoever comes first.
func TestLoadedGroupIsTooLarge(t *testing.T) {
	l := newLab(t)
	all := l.stable("m-1", "m-2", "m-3")
	l.cfg.Classic.MaxSize = 2
	l.reload()
	l.state(classic.PreparingRebalance)
	all[2].rejoin()
	all[0].rejoin()
	all[1].rejoin()
	if r := reply[classic.JoinReply](l, all[1].join); r.Err != kafka.ErrGroupMaxSizeReached {
		t.Errorf("the last to come: %+v", r)
	}
	all[0].joined()
	all[2].joined()
}
