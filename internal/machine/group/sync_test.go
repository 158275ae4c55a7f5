package group_test

import (
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group/classic"
)

// completing brings two members to the point where the leader is to assign.
func completing(l *lab) []*member {
	l.t.Helper()
	all := l.stable("m-1", "m-2")
	for _, m := range all {
		m.rejoin()
	}
	for _, m := range all {
		m.joined()
	}
	l.state(classic.CompletingRebalance)
	return all
}

func TestSyncRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		before func(*lab)
		change func(*classic.Sync)
		want   kafka.ErrorCode
	}{
		"no group id":           {nil, func(s *classic.Sync) { s.Group = "" }, kafka.ErrInvalidGroupId},
		"no such group":         {nil, func(s *classic.Sync) { s.Group = "other" }, kafka.ErrUnknownMemberId},
		"no such member":        {nil, func(s *classic.Sync) { s.MemberID = "m-9" }, kafka.ErrUnknownMemberId},
		"no such instance":      {nil, func(s *classic.Sync) { s.InstanceID = text("i") }, kafka.ErrUnknownMemberId},
		"an older generation":   {nil, func(s *classic.Sync) { s.Generation-- }, kafka.ErrIllegalGeneration},
		"a newer generation":    {nil, func(s *classic.Sync) { s.Generation++ }, kafka.ErrIllegalGeneration},
		"another protocol type": {nil, func(s *classic.Sync) { s.ProtocolType = text("connect") }, kafka.ErrInconsistentGroupProtocol},
		"another protocol":      {nil, func(s *classic.Sync) { s.Protocol = text("sticky") }, kafka.ErrInconsistentGroupProtocol},
		"while members gather":  {func(l *lab) { l.do(request("m-1")) }, func(*classic.Sync) {}, kafka.ErrRebalanceInProgress},
		"after everybody has left": {func(l *lab) {
			for _, id := range []string{"m-1", "m-2"} {
				ask[classic.LeaveReply](l, &classic.Leave{Group: "g", Members: []classic.Leaving{{MemberID: id}}})
			}
		}, func(*classic.Sync) {}, kafka.ErrUnknownMemberId},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			all := l.stable("m-1", "m-2")
			if test.before != nil {
				test.before(l)
			}
			s := &classic.Sync{Group: "g", MemberID: "m-2", Generation: all[0].generation, ProtocolType: text("consumer"), Protocol: text("range")}
			test.change(s)
			if r := ask[classic.SyncReply](l, s); r.Err != test.want || r.Assignment != nil || r.Protocol != "" || r.ProtocolType != "" {
				t.Errorf("answered %+v, want %s", r, test.want)
			}
		})
	}
}

// Followers wait for the leader; its assignment is given out when it is committed; whoever it left out gets nothing.
func TestSyncWaitsForTheLeader(t *testing.T) {
	l := newLab(t)
	all := completing(l)
	all[1].askSync()
	if !l.parked(all[1].sync) {
		t.Fatal("the follower is answered before the leader has assigned")
	}
	l.hold = true
	all[0].askSync("m-1")
	if !l.parked(all[0].sync) || !l.parked(all[1].sync) {
		t.Fatal("an assignment is told that is not committed")
	}
	if d := l.describe(); d.State == classic.Stable {
		t.Error("the group is Stable, and nothing of that is committed")
	}
	l.settle()
	if r := reply[classic.SyncReply](l, all[0].sync); string(r.Assignment) != "for m-1" || r.Protocol != "range" || r.ProtocolType != "consumer" {
		t.Errorf("the leader is told %+v", r)
	}
	if r := reply[classic.SyncReply](l, all[1].sync); r.Err != kafka.ErrNone || len(r.Assignment) != 0 || r.Protocol != "range" {
		t.Errorf("the member that was left out is told %+v", r)
	}
	d := l.describe()
	if d.State != classic.Stable || d.Protocol != "range" || string(d.Members[0].Assignment) != "for m-1" || string(d.Members[0].Metadata) != string(subscription) {
		t.Errorf("described as %+v", d)
	}
	// In a stable group it can be asked for again.
	all[0].askSync()
	if r := reply[classic.SyncReply](l, all[0].sync); r.Err != kafka.ErrNone || string(r.Assignment) != "for m-1" {
		t.Errorf("asked again, the leader is told %+v", r)
	}
}

// A Sync of an old client, which names no protocol, is good.
func TestSyncWithoutProtocol(t *testing.T) {
	l := newLab(t)
	all := completing(l)
	r := ask[classic.SyncReply](l, &classic.Sync{Group: "g", MemberID: "m-1", Generation: all[0].generation,
		Assignments: []classic.MemberAssignment{{MemberID: "m-1", Bytes: []byte("a")}}})
	if r.Err != kafka.ErrNone || string(r.Assignment) != "a" {
		t.Errorf("told %+v", r)
	}
}

func TestSyncTwice(t *testing.T) {
	l := newLab(t)
	all := completing(l)
	all[1].askSync()
	first := all[1].sync
	all[1].askSync()
	if r := reply[classic.SyncReply](l, first); r.Err != kafka.ErrCoordinatorNotAvailable {
		t.Errorf("the first is answered %+v", r)
	}
	all[0].askSync("m-1", "m-2")
	if r := reply[classic.SyncReply](l, all[1].sync); string(r.Assignment) != "for m-2" {
		t.Errorf("the second is answered %+v", r)
	}
}

// A rebalance that begins while members wait for their assignment sends them back to join.
func TestRebalanceCancelsSync(t *testing.T) {
	l := newLab(t)
	all := completing(l)
	all[1].askSync()
	l.enter("m-3")
	if r := reply[classic.SyncReply](l, all[1].sync); r.Err != kafka.ErrRebalanceInProgress || r.Assignment != nil {
		t.Errorf("the waiting member is told %+v", r)
	}
	l.state(classic.PreparingRebalance)
	for _, m := range l.describe().Members {
		if len(m.Assignment) != 0 {
			t.Errorf("%s still has an assignment of a generation that never was", m.ID)
		}
	}
}

// Members that were told of a generation and don't ask for their assignment are removed after the rebalance timeout, also
// when the group is stable by then.
func TestPendingSyncExpires(t *testing.T) {
	l := newLab(t)
	all := completing(l)
	all[0].askSync("m-1", "m-2")
	l.state(classic.Stable)
	for range 11 { // both send heartbeats; one never syncs
		l.pass(5 * time.Second)
		if a, b := all[0].beat(), all[1].beat(); a != kafka.ErrNone || b != kafka.ErrNone {
			t.Fatalf("heartbeats: %s, %s", a, b)
		}
	}
	l.pass(5 * time.Second)
	if code := all[1].beat(); code != kafka.ErrUnknownMemberId {
		t.Errorf("the member that never synced: %s", code)
	}
	if code := all[0].beat(); code != kafka.ErrRebalanceInProgress {
		t.Errorf("the other one: %s", code)
	}
	all[0].rejoin()
	all[0].joined()
}

// A leader that dies before it assigns: the others hear of it and join again.
func TestLeaderNeverAssigns(t *testing.T) {
	l := newLab(t)
	all := completing(l)
	all[1].askSync()
	l.pass(10 * time.Second) // the leader's session; the follower waits for us and needs no heartbeat
	if r := reply[classic.SyncReply](l, all[1].sync); r.Err != kafka.ErrRebalanceInProgress {
		t.Errorf("the follower is told %+v", r)
	}
	all[1].rejoin()
	r := all[1].joined()
	if !all[1].leader || len(r.Members) != 1 {
		t.Errorf("the follower that is left is told %+v", r)
	}
}
