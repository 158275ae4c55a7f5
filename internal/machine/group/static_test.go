package group_test

import (
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group"
	"github.com/milena-io/milena/internal/machine/group/classic"
	rec "github.com/milena-io/milena/internal/staterecord/group"
)

// statics brings two static members to Stable; the first leads.
func statics(l *lab) []*member {
	l.t.Helper()
	a := l.enterStatic("i-1", "m-1")
	a.joined()
	b := l.enterStatic("i-2", "m-2")
	return l.settleGroup([]*member{a, b})
}

// A static member that restarts gets its assignment back under a new id, without a rebalance (KIP-345). The old id is
// fenced everywhere.
func TestStaticMemberReturns(t *testing.T) {
	l := newLab(t)
	all := statics(l)
	again := l.enterStatic("i-2", "m-3")
	r := again.joined()
	if r.Generation != all[1].generation || r.Leader != "m-1" || r.Members != nil || r.SkipAssignment || r.Protocol != "range" {
		t.Errorf("told %+v", r)
	}
	l.state(classic.Stable)
	if code := all[0].beat(); code != kafka.ErrNone {
		t.Errorf("the other member's heartbeat: %s", code)
	}
	again.askSync()
	if s := reply[classic.SyncReply](l, again.sync); string(s.Assignment) != "for m-2" {
		t.Errorf("assigned %+v", s)
	}
	if code := all[1].beat(); code != kafka.ErrFencedInstanceId {
		t.Errorf("the old id's heartbeat: %s", code)
	}
	if code := all[1].commitAt(5); code != kafka.ErrFencedInstanceId {
		t.Errorf("the old id's commit: %s", code)
	}
	all[1].askSync()
	if s := reply[classic.SyncReply](l, all[1].sync); s.Err != kafka.ErrFencedInstanceId {
		t.Errorf("the old id's sync: %+v", s)
	}
	all[1].rejoin()
	if j := reply[classic.JoinReply](l, all[1].join); j.Err != kafka.ErrFencedInstanceId {
		t.Errorf("the old id's join: %+v", j)
	}
	if code := all[1].leave(); code != kafka.ErrFencedInstanceId {
		t.Errorf("the old id's leave: %s", code)
	}
	// The replacement is in the log.
	l.reload()
	if code := again.beat(); code != kafka.ErrNone {
		t.Errorf("a heartbeat after the coordinator moved: %s", code)
	}
	// Without its instance id the old member is simply unknown.
	all[1].instance = nil
	if code := all[1].beat(); code != kafka.ErrUnknownMemberId {
		t.Errorf("the old id without its instance: %s", code)
	}
}

// A leader that returns: a client of version 9 is told to skip the assignment (KIP-814), an older one is not told that it
// leads.
func TestStaticLeaderReturns(t *testing.T) {
	l := newLab(t)
	statics(l)
	r := l.enterStatic("i-1", "m-3").joined()
	if r.Leader != "m-3" || !r.SkipAssignment || len(r.Members) != 2 {
		t.Errorf("told %+v", r)
	}
	j := request("")
	j.InstanceID, j.NewMemberID, j.SkipAssignment = text("i-1"), "m-4", false
	if r := ask[classic.JoinReply](l, j); r.Err != kafka.ErrNone || r.MemberID != "m-4" || r.Leader != "m-3" || r.SkipAssignment || r.Members != nil {
		t.Errorf("an older client is told %+v", r)
	}
	l.state(classic.Stable)
}

// When its return changes which protocol wins, there is a rebalance.
func TestStaticMemberBringsAnotherProtocol(t *testing.T) {
	l := newLab(t, func(c *group.Config) { c.Classic.InitialRebalanceDelay = time.Second })
	join := func(instance, id string, protocols ...string) *member {
		j := request("", protocols...)
		j.InstanceID, j.NewMemberID = text(instance), id
		return &member{l: l, id: id, instance: text(instance), join: l.do(j)}
	}
	a, b := join("i-1", "m-1", "range", "sticky"), join("i-2", "m-2", "range", "sticky")
	l.pass(2 * time.Second)
	a.joined()
	b.joined()
	a.askSync("m-1", "m-2")
	b.askSync()
	again := join("i-2", "m-3", "sticky")
	if !l.parked(again.join) {
		t.Fatalf("told %+v", again.joined())
	}
	l.state(classic.PreparingRebalance)
	j := request("m-1", "range", "sticky")
	j.InstanceID = a.instance
	a.join = l.do(j)
	if r := a.joined(); r.Protocol != "sticky" {
		t.Errorf("protocol %s, and only sticky is everybody's", r.Protocol)
	}
	again.joined()
}

// While the leader assigns to the old id there is a rebalance: the new one would get nothing.
func TestStaticMemberReturnsWhileAssigning(t *testing.T) {
	l := newLab(t)
	all := statics(l)
	for _, m := range all {
		m.rejoin()
	}
	all[0].joined()
	all[1].joined()
	all[1].askSync()
	again := l.enterStatic("i-2", "m-3")
	if s := reply[classic.SyncReply](l, all[1].sync); s.Err != kafka.ErrFencedInstanceId {
		t.Errorf("the old id, which waited for its assignment: %+v", s)
	}
	if !l.parked(again.join) {
		t.Fatal("told of a generation that is being assigned to another id")
	}
	all[0].rejoin()
	all[0].joined()
	again.joined()
}

// While members gather, the newcomer takes the place of the parked one, which is fenced.
func TestStaticMemberReturnsWhileGathering(t *testing.T) {
	l := newLab(t)
	all := statics(l)
	all[1].rejoin()
	// Same metadata, not the leader: answered at once. The leader's rejoin opens the rebalance.
	all[0].rejoin()
	all[1].rejoin()
	all[0].joined()
	all[1].joined()
	l.settleGroup(all)

	all[0].rejoin()
	again := l.enterStatic("i-1", "m-5")
	if r := reply[classic.JoinReply](l, all[0].join); r.Err != kafka.ErrFencedInstanceId || r.MemberID != "m-1" {
		t.Errorf("the parked one is told %+v", r)
	}
	all[1].rejoin()
	if r := again.joined(); r.Leader != "m-5" {
		t.Errorf("told %+v", r)
	}
}

// A static member that does not join in time stays in the group, until its time to sync is over.
func TestStaticMemberIsLate(t *testing.T) {
	l := newLab(t)
	all := statics(l)
	all[0].rejoin()
	for range 12 {
		l.pass(5 * time.Second)
		all[1].beat()
	}
	if r := all[0].joined(); len(r.Members) != 2 {
		t.Errorf("%d members, the late one is static", len(r.Members))
	}
}

// Only static members, and none joins: there is no leader to tell of a generation, so the group waits on.
func TestNoStaticMemberJoins(t *testing.T) {
	l := newLab(t)
	all := statics(l)
	d := l.enter("m-9")
	if code := d.leave(); code != kafka.ErrNone {
		t.Fatal(code)
	}
	for range 14 {
		l.pass(5 * time.Second)
		for _, m := range all {
			if code := m.beat(); code != kafka.ErrRebalanceInProgress {
				t.Fatalf("%s: %s", m.id, code)
			}
		}
	}
	all[1].rejoin()
	for range 24 {
		if !l.parked(all[1].join) {
			break
		}
		l.pass(5 * time.Second)
		all[0].beat()
	}
	if r := all[1].joined(); r.Leader != "m-2" || len(r.Members) != 2 {
		t.Errorf("told %+v", r)
	}
}

// What a returning static member subscribes to counts at once, as it will after the coordinator moved.
func TestStaticMemberSubscribesToMore(t *testing.T) {
	l := newLab(t)
	statics(l)
	j := request("")
	j.InstanceID, j.NewMemberID = text("i-2"), "m-3"
	j.Protocols[0].Metadata = rec.AppendSubscription(nil, "u")
	if r := ask[classic.JoinReply](l, j); r.Err != kafka.ErrNone {
		t.Fatalf("told %+v", r)
	}
	for range 2 {
		r := ask[group.DeleteOffsetsReply](l, &group.DeleteOffsets{Group: "g", Partitions: []kafka.TopicPartition{{Topic: "u"}, {Topic: "v"}}})
		if r.Codes[0] != kafka.ErrGroupSubscribedToTopic || r.Codes[1] != kafka.ErrNone {
			t.Errorf("answered %+v", r)
		}
		l.reload()
	}
}

func TestLeave(t *testing.T) {
	l := newLab(t)
	all := l.stable("m-1", "m-2", "m-3")
	if code := all[0].leave(); code != kafka.ErrNone { // the leader
		t.Fatal(code)
	}
	if code := all[1].beat(); code != kafka.ErrRebalanceInProgress {
		t.Errorf("a member that stays: %s", code)
	}
	if code := all[0].leave(); code != kafka.ErrUnknownMemberId {
		t.Errorf("leaving twice: %s", code)
	}
	all[1].rejoin()
	if code := all[2].leave(); code != kafka.ErrNone { // whom the others wait for
		t.Fatal(code)
	}
	if r := all[1].joined(); r.Leader != "m-2" || len(r.Members) != 1 {
		t.Errorf("told %+v", r)
	}
	if code := all[1].leave(); code != kafka.ErrNone {
		t.Fatal(code)
	}
	l.state(classic.Empty)
	if d := l.describe(); d.ProtocolType != "consumer" || d.Protocol != "" {
		t.Errorf("an empty group is %+v", d)
	}
}

// A LeaveGroup of version 3 removes several, also static ones by instance alone, and answers for each.
func TestLeaveBatch(t *testing.T) {
	l := newLab(t)
	statics(l)
	j := request("")
	j.NewMemberID = "m-9"
	l.do(j)
	r := ask[classic.LeaveReply](l, &classic.Leave{Group: "g", Members: []classic.Leaving{
		{InstanceID: text("i-2")}, {MemberID: "m-9"}, {MemberID: "m-0", InstanceID: text("i-1")}, {InstanceID: text("i-7")}, {MemberID: "m-7"}, {},
		{InstanceID: text("i-2")},
	}})
	want := []kafka.ErrorCode{kafka.ErrNone, kafka.ErrNone, kafka.ErrFencedInstanceId, kafka.ErrUnknownMemberId, kafka.ErrUnknownMemberId,
		kafka.ErrUnknownMemberId, kafka.ErrUnknownMemberId}
	if r.Err != kafka.ErrNone || len(r.Members) != len(want) {
		t.Fatalf("answered %+v", r)
	}
	for i, m := range r.Members {
		if m.Err != want[i] {
			t.Errorf("%d: %s, want %s", i, m.Err, want[i])
		}
	}
	l.state(classic.PreparingRebalance)
	if r := ask[classic.LeaveReply](l, &classic.Leave{Group: "none", Members: []classic.Leaving{{MemberID: "m"}}}); r.Err != kafka.ErrNone || r.Members[0].Err != kafka.ErrUnknownMemberId {
		t.Errorf("a group that does not exist: %+v", r)
	}
	if r := ask[classic.LeaveReply](l, &classic.Leave{}); r.Err != kafka.ErrInvalidGroupId {
		t.Errorf("no group: %+v", r)
	}
}

// Whoever leaves with a request parked gets an answer to that, too.
func TestLeaveAnswersParked(t *testing.T) {
	l := newLab(t)
	all := completing(l)
	all[1].askSync()
	all[1].leave()
	if r := reply[classic.SyncReply](l, all[1].sync); r.Err != kafka.ErrUnknownMemberId {
		t.Errorf("the parked sync: %+v", r)
	}
	l = newLab(t)
	all = l.stable("m-1", "m-2")
	all[0].rejoin()
	all[0].leave()
	if r := reply[classic.JoinReply](l, all[0].join); r.Err != kafka.ErrUnknownMemberId {
		t.Errorf("the parked join: %+v", r)
	}
}
