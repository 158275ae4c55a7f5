package group_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group"
	"github.com/milena-io/milena/internal/machine/group/classic"
	rec "github.com/milena-io/milena/internal/staterecord/group"
)

// hourly has a retention of an hour, looked at every minute.
func hourly(c *group.Config) {
	c.OffsetsRetentionMs = time.Hour.Milliseconds()
	c.OffsetsCheckEvery = time.Minute
	c.Classic.MaxSessionTimeoutMs = math.MaxInt32
}

// hold keeps a member alive while time passes.
func hold(m *member, d time.Duration) {
	m.l.t.Helper()
	for ; d > 0; d -= 5 * time.Second {
		m.l.pass(min(d, 5*time.Second))
		if code := m.beat(); code != kafka.ErrNone {
			m.l.t.Fatalf("%s: %s", m.id, code)
		}
	}
}

// A simple consumer's offset expires by its own age, and the group with the last one.
func TestSimpleOffsetsExpire(t *testing.T) {
	l := newLab(t, hourly)
	l.commitAs("", nil, -1, 1)
	l.pass(30 * time.Minute)
	l.do(&group.Commit{Group: "g", Generation: -1, RetentionMs: -1, Offsets: []group.CommitOffset{{Partition: u0, Offset: 2}}})
	l.pass(30*time.Minute - time.Second)
	if l.fetchAt() != 1 {
		t.Error("gone before its time")
	}
	l.pass(time.Minute)
	if l.fetchAt() != -1 {
		t.Error("still there after the retention and a check")
	}
	l.state(classic.Empty)
	l.pass(30 * time.Minute)
	l.state(classic.Dead)
	l.reload()
	l.state(classic.Dead)
}

// With a retention of its own (OffsetCommit v2 to v4) an offset expires by that.
func TestExplicitRetention(t *testing.T) {
	l := newLab(t, hourly)
	commit := func(p kafka.TopicPartition, ms int64) {
		ask[group.CommitReply](l, &group.Commit{Group: "g", Generation: -1, RetentionMs: ms, Offsets: []group.CommitOffset{{Partition: p, Offset: 1}}})
	}
	commit(t0, 5*time.Minute.Milliseconds())
	commit(t1, (2 * time.Hour).Milliseconds())
	commit(u0, math.MaxInt64)
	left := func() int {
		return len(ask[group.FetchReply](l, &group.FetchOffsets{Group: "g", All: true}).Offsets)
	}
	for _, step := range []struct {
		pass time.Duration
		want int
	}{{4 * time.Minute, 3}, {2 * time.Minute, 2}, {113 * time.Minute, 2}, {2 * time.Minute, 1}, {50 * time.Hour, 1}} {
		l.pass(step.pass)
		if n := left(); n != step.want {
			t.Errorf("%s later: %d offsets, want %d", step.pass, n, step.want)
		}
	}
}

// With members, only topics that nobody subscribes to expire; without, the clock runs from the moment the last one left,
// however old the commits are (KIP-211).
func TestConsumerGroupOffsetsExpire(t *testing.T) {
	l := newLab(t, hourly)
	m := l.stable("m-1")[0]
	m.commitAt(1)
	l.do(&group.Commit{Group: "g", MemberID: m.id, Generation: m.generation, RetentionMs: -1, Offsets: []group.CommitOffset{{Partition: u0, Offset: 2}}})
	left := func() string {
		s := ""
		for _, o := range ask[group.FetchReply](l, &group.FetchOffsets{Group: "g", All: true}).Offsets {
			s += fmt.Sprint(o.Partition, " ")
		}
		return s
	}
	hold(m, 59*time.Minute)
	if s := left(); s != "t-0 u-0 " {
		t.Errorf("before the retention: %s", s)
	}
	hold(m, 5*time.Hour)
	if s := left(); s != "t-0 " {
		t.Errorf("of a living group: %s", s)
	}
	m.leave()
	l.pass(59 * time.Minute)
	if s := left(); s != "t-0 " {
		t.Errorf("59 minutes after the last one left: %s", s)
	}
	l.pass(2 * time.Minute)
	if s := left(); s != "" {
		t.Errorf("after the retention: %s", s)
	}
	l.state(classic.Dead)
}

// An offset that an administrator sets for a long-empty group lives as long as any other.
func TestSeekOfAnEmptyGroup(t *testing.T) {
	l := newLab(t, hourly)
	m := l.stable("m-1")[0]
	m.commitAt(1)
	m.leave()
	l.pass(50 * time.Minute)
	if code := l.commitAs("", nil, -1, 9); code != kafka.ErrNone {
		t.Fatal(code)
	}
	l.pass(50 * time.Minute)
	if o := l.fetchAt(); o != 9 {
		t.Errorf("offset %d, fifty minutes after it was set", o)
	}
	l.pass(12 * time.Minute)
	l.state(classic.Dead)
}

// What is unknown does not expire: a group that rebalances, one whose metadata nobody can read, and connect's.
func TestNothingExpiresInDoubt(t *testing.T) {
	for name, change := range map[string]func(*classic.Join){
		"connect":             func(j *classic.Join) { j.ProtocolType = "connect" },
		"unreadable metadata": func(j *classic.Join) { j.Protocols[0].Metadata = []byte("?") },
	} {
		l := newLab(t, hourly)
		j := request("")
		j.NewMemberID, j.RequireMemberID = "m-1", false
		change(j)
		m := &member{l: l, id: "m-1", join: l.do(j)}
		m.joined()
		ask[classic.SyncReply](l, &classic.Sync{Group: "g", MemberID: m.id, Generation: m.generation})
		if code := m.commitAt(1); code != kafka.ErrNone {
			t.Fatal(code)
		}
		hold(m, 3*time.Hour)
		if l.fetchAt() != 1 {
			t.Errorf("%s: a living group lost its offset", name)
		}
	}
	l := newLab(t, hourly)
	m := l.stable("m-1")[0]
	l.do(&group.Commit{Group: "g", MemberID: m.id, Generation: m.generation, RetentionMs: -1, Offsets: []group.CommitOffset{{Partition: u0, Offset: 2}}})
	j := request("")
	j.NewMemberID, j.SessionTimeoutMs = "m-2", int32((3 * time.Hour).Milliseconds())
	l.do(j) // holds the next rebalance open
	j = request("m-1")
	j.SessionTimeoutMs, j.RebalanceTimeoutMs = int32((3 * time.Hour).Milliseconds()), int32((3 * time.Hour).Milliseconds())
	l.do(j)
	l.state(classic.PreparingRebalance)
	l.pass(2 * time.Hour)
	l.state(classic.PreparingRebalance)
	if n := len(ask[group.FetchReply](l, &group.FetchOffsets{Group: "g", All: true}).Offsets); n != 1 {
		t.Error("a group that rebalances lost an offset")
	}
}

// An offset with an open transaction on it stays, and so does its group.
func TestOpenTransactionsKeepOffsets(t *testing.T) {
	l := newLab(t, hourly)
	l.commitAs("", nil, -1, 1)
	r := &rec.OffsetCommit{Key: rec.OffsetKey{Group: "g", Topic: "t"}, Value: &rec.OffsetValue{Offset: 2, CommitMs: l.now.WallMs, ExpireMs: -1}}
	l.m.Apply(kafka.Offset(len(l.log)), 7, r)
	l.log = append(l.log, r)
	l.settle()
	l.pass(3 * time.Hour)
	if l.fetchAt() != 1 {
		t.Error("an offset with an open transaction is gone")
	}
	l.m.EndTransaction(kafka.Offset(len(l.log)), 7, false)
	l.log = append(l.log, rec.Unknown{})
	l.settle()
	l.pass(time.Minute)
	l.state(classic.Dead)
}

// Expiry comes in pieces of a batch each, and gets to every group.
func TestExpiryInPieces(t *testing.T) {
	l := newLab(t, hourly, func(c *group.Config) { c.MaxTombstonesAtOnce = 10 })
	for i := range 100 {
		l.do(&group.Commit{Group: fmt.Sprintf("g-%02d", i), Generation: -1, RetentionMs: -1,
			Offsets: []group.CommitOffset{{Partition: t0, Offset: 1}, {Partition: t1, Offset: 2}}})
	}
	l.pass(61 * time.Minute)
	if got := ask[group.ListReply](l, &group.List{}).Groups; len(got) != 0 {
		t.Errorf("%d groups are left: %v", len(got), got)
	}
	if n := len(l.log); n != 200+300 {
		t.Errorf("%d records, want two offsets, their tombstones and the group's of 100 groups", n)
	}
}

// Expiry that cannot be written comes again.
func TestExpiryIsReverted(t *testing.T) {
	l := newLab(t, hourly)
	l.commitAs("", nil, -1, 1)
	l.pass(59 * time.Minute)
	l.hold = true
	l.pass(2 * time.Minute)
	if l.fetchAt() != 1 {
		t.Error("gone, and nothing of that is committed")
	}
	l.fail()
	l.state(classic.Empty)
	l.hold = false
	l.pass(time.Minute)
	l.state(classic.Dead)
}
