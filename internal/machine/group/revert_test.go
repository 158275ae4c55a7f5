package group_test

import (
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group"
	"github.com/milena-io/milena/internal/machine/group/classic"
)

// A promise that cannot be written: nobody hears of the generation, the members that wait are told by their requests'
// errors, and the group comes through once the log takes records again.
func TestRevertOfAPromise(t *testing.T) {
	l := newLab(t)
	all := l.stable("m-1", "m-2")
	before := all[0].generation
	all[0].rejoin()
	l.hold = true
	all[1].rejoin()
	l.fail()
	for _, m := range all {
		if body, ok := l.replies[m.join]; !ok || body != nil {
			t.Errorf("%s is told %+v", m.id, body)
		}
	}
	l.state(classic.PreparingRebalance)
	l.hold = false
	all[0].rejoin()
	all[1].rejoin()
	l.settleGroup(all)
	if all[0].generation <= before {
		t.Errorf("generation %d after %d", all[0].generation, before)
	}
}

// An assignment that cannot be written is nobody's: all are told, and sync again.
func TestRevertOfAnAssignment(t *testing.T) {
	l := newLab(t)
	all := completing(l)
	all[1].askSync()
	l.hold = true
	all[0].askSync("m-1", "m-2")
	l.fail()
	for _, m := range all {
		if body, ok := l.replies[m.sync]; !ok || body != nil {
			t.Errorf("%s is told %+v", m.id, body)
		}
	}
	l.state(classic.CompletingRebalance)
	l.hold = false
	// As the Java client does: it joins again with the same metadata, and is told the same generation.
	generation := all[0].generation
	all[0].rejoin()
	if r := all[0].joined(); r.Generation != generation || len(r.Members) != 2 {
		t.Errorf("the leader is told %+v", r)
	}
	all[1].askSync()
	all[0].askSync("m-1", "m-2")
	if r := reply[classic.SyncReply](l, all[1].sync); string(r.Assignment) != "for m-2" {
		t.Errorf("the follower is assigned %+v", r)
	}
}

// What followed from a record that failed goes with it: a member that joined meanwhile has lost its place.
func TestRevertTakesWhatFollowed(t *testing.T) {
	l := newLab(t)
	m := l.stable("m-1")[0]
	l.hold = true
	m.leave2()
	j := request("")
	j.NewMemberID, j.RequireMemberID = "m-2", false
	other := l.do(j)
	if !l.parked(other) {
		t.Fatal("told of a generation that is not written")
	}
	l.fail()
	if body, ok := l.replies[other]; !ok || body != nil {
		t.Errorf("the newcomer is told %+v", body)
	}
	l.state(classic.Stable)
	if d := l.describe(); len(d.Members) != 1 || d.Members[0].ID != "m-1" {
		t.Errorf("members: %+v", d.Members)
	}
	if code := m.beat(); code != kafka.ErrNone {
		t.Errorf("the member whose leaving failed: %s", code)
	}
}

// leave2 leaves without waiting for the answer.
func (m *member) leave2() {
	m.l.do(&classic.Leave{Group: "g", Members: []classic.Leaving{{MemberID: m.id, InstanceID: m.instance}}})
}

// A static member whose replacement cannot be written keeps its old id.
func TestRevertOfAReplacement(t *testing.T) {
	l := newLab(t)
	all := statics(l)
	l.hold = true
	l.enterStatic("i-2", "m-3")
	l.fail()
	l.hold = false
	if code := all[1].beat(); code != kafka.ErrNone {
		t.Errorf("the old id's heartbeat: %s", code)
	}
	l.enterStatic("i-2", "m-4").joined()
}

// Commits and deletions that fail leave what was there before, in the newest view and in the committed one.
func TestRevertOfOffsets(t *testing.T) {
	l := newLab(t)
	l.commitAs("", nil, -1, 1)
	l.hold = true
	l.do(&group.Commit{Group: "g", Generation: -1, RetentionMs: -1, Offsets: []group.CommitOffset{{Partition: t0, Offset: 2}}})
	l.do(&group.DeleteGroup{Group: "g"})
	l.do(&group.Commit{Group: "g", Generation: -1, RetentionMs: -1, Offsets: []group.CommitOffset{{Partition: t0, Offset: 3}}})
	if o := l.fetchAt(); o != 1 {
		t.Errorf("committed is %d", o)
	}
	l.fail()
	l.hold = false
	stable := ask[group.FetchReply](l, &group.FetchOffsets{Group: "g", Stable: true, Partitions: []group.WantedOffset{{Partition: t0}}}).Offsets
	if o := l.fetchAt(); o != 1 || stable[0].Offset != 1 {
		t.Errorf("after the revert %d, stable %+v", o, stable)
	}
}

// A heartbeat or a refused commit rests on what is not written yet and waits for it.
func TestRepliesRestOnWhatTheySaw(t *testing.T) {
	l := newLab(t)
	all := completing(l)
	l.hold = true
	all[0].askSync("m-1", "m-2")
	beat := l.do(&classic.Heartbeat{Group: "g", MemberID: "m-1", Generation: all[0].generation})
	commit := l.do(&group.Commit{Group: "g", MemberID: "m-9", Generation: 1, RetentionMs: -1})
	if !l.parked(beat) || !l.parked(commit) {
		t.Error("answered from a state that may be taken back")
	}
	other := l.do(&classic.Heartbeat{Group: "other", MemberID: "m-1"})
	if l.parked(other) {
		t.Error("another group waits")
	}
	l.settle()
	if reply[classic.HeartbeatReply](l, beat).Err != kafka.ErrNone || reply[group.CommitReply](l, commit).Err != kafka.ErrUnknownMemberId {
		t.Error("answered wrongly")
	}
}

// Due asks until it is done: what could not be written is due again.
func TestDueUntilDone(t *testing.T) {
	l := newLab(t)
	l.stable("m-1")
	l.now = l.now.Add(10 * time.Second)
	for range 2 {
		due := l.m.Due(l.now)
		if len(due) != 1 || due[0].(*group.Tick).Group != "g" {
			t.Fatalf("due: %+v", due)
		}
	}
	l.hold = true
	for _, cmd := range l.m.Due(l.now) {
		l.enact(0, cmd)
	}
	if due := l.m.Due(l.now); len(due) != 0 {
		t.Errorf("decided, and due again: %+v", due)
	}
	l.fail()
	if due := l.m.Due(l.now); len(due) != 1 {
		t.Errorf("the append failed, and nothing is due")
	}
	l.hold = false
	l.pass(0)
	l.state(classic.Empty)
}
