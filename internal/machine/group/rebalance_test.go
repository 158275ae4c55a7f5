package group_test

import (
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group"
	"github.com/milena-io/milena/internal/machine/group/classic"
)

func delayed(c *group.Config) { c.Classic.InitialRebalanceDelay = 3 * time.Second }

// group.initial.rebalance.delay.ms: an empty group waits for more members, longer when they keep coming, but never
// longer than the rebalance timeout.
func TestInitialDelay(t *testing.T) {
	l := newLab(t, delayed)
	a := l.enter("m-1")
	l.pass(3*time.Second - 1)
	if !l.parked(a.join) {
		t.Fatal("answered before the delay is over")
	}
	l.pass(1)
	a.joined()

	l = newLab(t, delayed)
	a = l.enter("m-1")
	l.pass(2 * time.Second)
	b := l.enter("m-2") // at 2: at 3 the wait begins again
	l.pass(4*time.Second - 1)
	if !l.parked(a.join) || !l.parked(b.join) {
		t.Fatal("answered, although a member came during the delay")
	}
	l.pass(1)
	if r := a.joined(); r.Generation != 1 || len(r.Members) != 2 {
		t.Errorf("the leader is told %+v", r)
	}
	b.joined()
}

func TestInitialDelayEndsWithTheRebalanceTimeout(t *testing.T) {
	l := newLab(t, delayed)
	start := l.now.Mono
	var first *member
	for i := range 40 {
		j := request("")
		j.NewMemberID, j.RequireMemberID, j.RebalanceTimeoutMs = string(rune('a'+i%26))+string(rune('a'+i/26)), false, 10_000
		token := l.do(j)
		if i == 0 {
			first = &member{l: l, id: j.NewMemberID, join: token}
		}
		if !l.parked(first.join) {
			break
		}
		l.pass(time.Second)
	}
	first.joined()
	if took := l.now.Mono - start; took > 13*time.Second {
		t.Errorf("members that keep coming hold the group for %s, the rebalance timeout is 10 s", took)
	}
}

// An empty group that had members before waits again.
func TestInitialDelayAfterEmpty(t *testing.T) {
	l := newLab(t, delayed)
	a := l.enter("m-1")
	l.pass(3 * time.Second)
	a.joined()
	a.leave()
	l.state(classic.Empty)
	b := l.enter("m-2")
	if !l.parked(b.join) {
		t.Error("the first member of an empty group is answered at once")
	}
	l.pass(3 * time.Second)
	if r := b.joined(); r.Generation != 3 {
		t.Errorf("generation %d after 1 and the empty 2", r.Generation)
	}
}

// Members that do not join within the rebalance timeout, the longest of all members', are out.
func TestRebalanceTimeout(t *testing.T) {
	l := newLab(t)
	all := l.stable("m-1", "m-2", "m-3")
	slow := request("m-3")
	slow.RebalanceTimeoutMs = 90_000
	all[2].join = l.do(slow) // metadata is the same, the timeout counts from the next rebalance on
	all[0].rejoin()
	deadline := 60 * time.Second
	for at := time.Duration(0); at < deadline-5*time.Second; at += 5 * time.Second {
		l.pass(5 * time.Second)
		all[1].beat()
		all[2].beat()
	}
	l.pass(5*time.Second - 1)
	if !l.parked(all[0].join) {
		t.Fatal("answered before the rebalance timeout")
	}
	l.pass(1)
	r := all[0].joined()
	if len(r.Members) != 1 {
		t.Errorf("%d members in a generation that only one joined", len(r.Members))
	}
	for _, m := range all[1:] {
		if code := m.beat(); code != kafka.ErrUnknownMemberId {
			t.Errorf("%s, which was late: %s", m.id, code)
		}
	}
}

// The leader does not come back: another member that did leads.
func TestLeaderIsLate(t *testing.T) {
	l := newLab(t)
	all := l.stable("m-1", "m-2")
	changed := request("m-2")
	changed.Protocols[0].Metadata = []byte("new")
	all[1].join = l.do(changed)
	for range 12 {
		l.pass(5 * time.Second)
		all[0].beat()
	}
	r := all[1].joined()
	if r.Leader != "m-2" || len(r.Members) != 1 {
		t.Errorf("told %+v", r)
	}
}

// Pending members hold the join phase open, and let go when their session ends or they leave.
func TestPendingMembersHoldTheRebalance(t *testing.T) {
	for name, gone := range map[string]func(*lab){
		"expired": func(l *lab) { l.pass(10 * time.Second) },
		"left": func(l *lab) {
			r := ask[classic.LeaveReply](l, &classic.Leave{Group: "g", Members: []classic.Leaving{{MemberID: "m-9"}}})
			if r.Members[0].Err != kafka.ErrNone {
				t.Errorf("leaving: %+v", r)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			m := l.stable("m-1")[0]
			j := request("")
			j.NewMemberID = "m-9"
			ask[classic.JoinReply](l, j)
			m.rejoin()
			if !l.parked(m.join) {
				t.Fatal("answered, although somebody has an id and has not come back yet")
			}
			gone(l)
			m.joined()
		})
	}
}

// A cooperative group: the first rebalance takes partitions away, the members join again at once, the second gives them.
func TestCooperative(t *testing.T) {
	l := newLab(t)
	a := l.stable("m-1")[0]
	first := a.generation
	b := l.enter("m-2")
	a.rejoin()
	a.joined()
	b.joined()
	a.askSync("m-1") // the leader assigns less to itself, and to the new member nothing yet
	b.askSync()
	if r := reply[classic.SyncReply](l, b.sync); r.Err != kafka.ErrNone || len(r.Assignment) != 0 {
		t.Fatalf("the new member is told %+v", r)
	}
	if code := a.commitAt(3); code != kafka.ErrNone {
		t.Errorf("a commit between the two rebalances: %s", code)
	}
	// The leader's owned partitions have changed: it joins again, the other one hears of it by heartbeat.
	revoked := request("m-1")
	revoked.Protocols[0].Metadata = []byte("\x00\x03owns less")
	a.join = l.do(revoked)
	if code := b.beat(); code != kafka.ErrRebalanceInProgress {
		t.Errorf("the new member's heartbeat: %s", code)
	}
	b.rejoin()
	a.joined()
	b.joined()
	a.askSync("m-1", "m-2")
	b.askSync()
	if r := reply[classic.SyncReply](l, b.sync); string(r.Assignment) != "for m-2" {
		t.Errorf("the new member is told %+v", r)
	}
	if a.generation != first+2 {
		t.Errorf("generation %d after %d and two rebalances", a.generation, first)
	}
}

// A generation that was told is never told again to others, also when the coordinator is lost before anything of it was
// assigned (reliability G2). Kafka writes nothing before the assignment and would tell it twice.
func TestGenerationsRiseAcrossFailover(t *testing.T) {
	l := newLab(t)
	all := completing(l)
	told := all[0].generation
	l.reload()
	l.state(classic.PreparingRebalance) // the log knows the generation before, and that a later one was told
	if code := all[0].beat(); code != kafka.ErrRebalanceInProgress {
		t.Errorf("a heartbeat of the generation that was lost: %s", code)
	}
	all[0].askSync("m-1")
	if r := reply[classic.SyncReply](l, all[0].sync); r.Err != kafka.ErrRebalanceInProgress {
		t.Errorf("a sync of it: %+v", r)
	}
	all[0].generation--
	if code := all[0].commitAt(9); code != kafka.ErrIllegalGeneration {
		t.Errorf("a commit of the generation before the one that was told: %s", code)
	}
	all[0].rejoin()
	if !l.parked(all[0].join) {
		t.Fatal("an earlier generation is told after a later one")
	}
	all[1].rejoin()
	if r := all[0].joined(); r.Generation <= told {
		t.Errorf("generation %d is told after %d", r.Generation, told)
	}

	// A group that the log only knows by a promise.
	l = newLab(t)
	m := l.enter("m-1")
	m.joined()
	l.reload()
	l.state(classic.Empty)
	if code := m.beat(); code != kafka.ErrUnknownMemberId {
		t.Errorf("a heartbeat: %s", code)
	}
	n := l.enter("m-2")
	if r := n.joined(); r.Generation <= m.generation {
		t.Errorf("generation %d is told after %d", r.Generation, m.generation)
	}
}

// The reply to a join tells a generation only when the promise of it is committed.
func TestJoinWaitsForThePromise(t *testing.T) {
	l := newLab(t)
	l.hold = true
	m := &member{l: l, id: "m-1"}
	old := request("")
	old.NewMemberID, old.RequireMemberID = "m-1", false
	m.join = l.do(old)
	if !l.parked(m.join) {
		t.Fatal("a generation is told that a failover would tell again")
	}
	l.settle()
	m.joined()
}
