package node

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

func TestGroupsMemberIDRequired(t *testing.T) {
	r := newGroupRig(t)
	m := r.member()
	got := askOn[*kmsg.JoinGroupResponse](m.link, m.joining())
	wantCode(t, got.ErrorCode, kafka.ErrMemberIdRequired)
	if rest, ok := strings.CutPrefix(got.MemberID, "test-"); !ok || len(rest) != 36 || got.Generation != -1 {
		t.Fatalf("the id is the client's and a UUID, got %q in generation %d", got.MemberID, got.Generation)
	}
	if d := r.describe("g"); d.State != "Empty" || len(d.Members) != 0 {
		t.Fatalf("nobody is a member yet: %+v", d)
	}
	old := m.joining()
	old.Version = 3
	if got := askOn[*kmsg.JoinGroupResponse](m.link, old); got.ErrorCode != 0 || got.LeaderID != got.MemberID {
		t.Fatalf("before v4 a member is one at once: %+v", got)
	}
}

func TestSurface20JoinParksUntilAllHaveRejoined(t *testing.T) {
	r := newGroupRig(t)
	a := r.member("cooperative-sticky", "range").stable()
	b := r.member("range")
	bJoin := b.join()
	if f := b.receive(5 * time.Second); f != nil {
		t.Fatalf("answered before the first member rejoined: %x", f)
	}
	if code := a.beat(); code != kafka.ErrRebalanceInProgress {
		t.Fatalf("the first member's heartbeat: %v", code)
	}
	aJoin := a.join()
	first, second := a.joined(aJoin), b.joined(bJoin)
	if first.LeaderID != a.id || second.LeaderID != a.id || len(first.Members) != 2 || len(second.Members) != 0 {
		t.Fatalf("the leader knows everybody, the others nobody:\n%+v\n%+v", first, second)
	}
	if *first.Protocol != "range" || *second.Protocol != "range" || *first.ProtocolType != "consumer" {
		t.Fatalf("protocol %s, %s: only range is common", *first.Protocol, *second.Protocol)
	}
	for _, m := range first.Members {
		if string(m.ProtocolMetadata) != "for range" {
			t.Errorf("metadata %q", m.ProtocolMetadata)
		}
	}
	a.protocols = b.protocols
	b.send(b.syncing())
	if f := b.receive(5 * time.Second); f != nil {
		t.Fatal("an assignment before the leader's")
	}
	if got := a.sync(a.id, b.id); got.ErrorCode != 0 || string(got.MemberAssignment) != "of "+a.id || *got.Protocol != "range" {
		t.Fatalf("%+v", got)
	}
	got := parse(t, b.receive(time.Second), b.syncing()).(*kmsg.SyncGroupResponse)
	if got.ErrorCode != 0 || string(got.MemberAssignment) != "of "+b.id {
		t.Fatalf("%+v", got)
	}
}

// TestSurface20WhoDoesNotRejoinIsOut: the join phase ends with the rebalance timeout.
func TestSurface20WhoDoesNotRejoinIsOut(t *testing.T) {
	r := newGroupRig(t)
	a := r.member().stable()
	b := r.member()
	got := b.joined(b.join())
	if got.LeaderID != b.id || len(got.Members) != 1 {
		t.Fatalf("%+v", got)
	}
	if code := a.beat(); code != kafka.ErrUnknownMemberId {
		t.Fatalf("the silent member's heartbeat: %v", code)
	}
}

func TestSurface20InconsistentProtocol(t *testing.T) {
	r := newGroupRig(t)
	r.member("range").stable()
	other := r.member("sticky")
	wantCode(t, askOn[*kmsg.JoinGroupResponse](other.link, other.joining()).ErrorCode, kafka.ErrInconsistentGroupProtocol)
	connect := r.member("range").joining()
	connect.ProtocolType = "connect"
	wantCode(t, ask[*kmsg.JoinGroupResponse](r, connect).ErrorCode, kafka.ErrInconsistentGroupProtocol)
}

func TestSurface20JoinsThatCannotBe(t *testing.T) {
	r := newGroupRig(t)
	for _, c := range []struct {
		change func(*kmsg.JoinGroupRequest)
		want   kafka.ErrorCode
	}{
		{func(j *kmsg.JoinGroupRequest) { j.Group = "" }, kafka.ErrInvalidGroupId},
		{func(j *kmsg.JoinGroupRequest) { j.SessionTimeoutMillis = 10 }, kafka.ErrInvalidSessionTimeout},
		{func(j *kmsg.JoinGroupRequest) { j.SessionTimeoutMillis = 1 << 30 }, kafka.ErrInvalidSessionTimeout},
		{func(j *kmsg.JoinGroupRequest) { j.MemberID = "nobody" }, kafka.ErrUnknownMemberId},
		{func(j *kmsg.JoinGroupRequest) { j.Protocols = nil }, kafka.ErrInconsistentGroupProtocol},
		{func(j *kmsg.JoinGroupRequest) { j.ProtocolType = "" }, kafka.ErrInconsistentGroupProtocol},
	} {
		j := r.member().joining()
		c.change(j)
		if got := ask[*kmsg.JoinGroupResponse](r, j); kafka.ErrorCode(got.ErrorCode) != c.want || got.Generation != -1 {
			t.Errorf("%v: error %v, generation %d", c.want, kafka.ErrorCode(got.ErrorCode), got.Generation)
		}
	}
}

func TestSurface20StaticMemberComesBack(t *testing.T) {
	r := newGroupRig(t)
	m := r.static("i-1").stable()
	if !strings.HasPrefix(m.id, "i-1-") {
		t.Fatalf("the id %q begins with the instance", m.id)
	}
	oldID, generation := m.id, m.generation
	again := r.static("i-1")
	got := again.joined(again.join())
	if got.Generation != generation || again.id == oldID || !got.SkipAssignment {
		t.Fatalf("the same metadata must not rebalance: %+v", got)
	}
	if s := again.sync(); s.ErrorCode != 0 || string(s.MemberAssignment) != "of "+oldID {
		t.Fatalf("it keeps its assignment: %+v", s)
	}
	if code := m.beat(); code != kafka.ErrFencedInstanceId {
		t.Errorf("the former self's heartbeat: %v", code)
	}
	r.create("t", 1)
	if code := m.commit("t", 0, 1); code != kafka.ErrFencedInstanceId {
		t.Errorf("the former self's commit: %v", code)
	}
	wantCode(t, m.sync().ErrorCode, kafka.ErrFencedInstanceId)
	wantCode(t, askOn[*kmsg.JoinGroupResponse](m.link, m.joining()).ErrorCode, kafka.ErrFencedInstanceId)
}

func TestSurface20WhoIsWho(t *testing.T) {
	r := newGroupRig(t)
	r.create("t", 1)
	m := r.member()
	m.joined(m.join())
	if code := m.commit("t", 0, 1); code != kafka.ErrRebalanceInProgress {
		t.Errorf("a commit before the assignment: %v", code)
	}
	wantCode(t, m.sync(m.id).ErrorCode, kafka.ErrNone)
	stranger, late := *m, *m
	stranger.id = "stranger"
	late.generation--
	for name, c := range map[string]struct {
		m    member
		want kafka.ErrorCode
	}{"stranger": {stranger, kafka.ErrUnknownMemberId}, "late": {late, kafka.ErrIllegalGeneration}} {
		if got := c.m.beat(); got != c.want {
			t.Errorf("heartbeat of a %s: %v", name, got)
		}
		if got := c.m.commit("t", 0, 5); got != c.want {
			t.Errorf("commit of a %s: %v", name, got)
		}
		if got := kafka.ErrorCode(c.m.sync().ErrorCode); got != c.want {
			t.Errorf("sync of a %s: %v", name, got)
		}
	}
	if got := kafka.ErrorCode(ask[*kmsg.OffsetCommitResponse](r, committing("t", 0, 5)).Topics[0].Partitions[0].ErrorCode); got != kafka.ErrUnknownMemberId {
		t.Errorf("a commit of nobody's while the group has members: %v", got)
	}
	if got := r.committed("t", 0); got != -1 {
		t.Errorf("offset %d: nothing was accepted", got)
	}
	other := m.syncing()
	other.Protocol = kmsg.StringPtr("sticky")
	wantCode(t, ask[*kmsg.SyncGroupResponse](r, other).ErrorCode, kafka.ErrInconsistentGroupProtocol)
	other.Protocol = nil
	wantCode(t, ask[*kmsg.SyncGroupResponse](r, other).ErrorCode, kafka.ErrInconsistentGroupProtocol)
}

func TestGroupsLeaveSeveral(t *testing.T) {
	r := newGroupRig(t)
	a := r.static("i-1").stable()
	leave := kmsg.NewPtrLeaveGroupRequest()
	leave.Version, leave.Group = 5, "g"
	for _, who := range [][2]string{{"", "i-1"}, {"stranger", ""}, {"", "i-9"}, {a.id, "i-9"}} {
		m := kmsg.NewLeaveGroupRequestMember()
		m.MemberID = who[0]
		if who[1] != "" {
			m.InstanceID = &who[1]
		}
		leave.Members = append(leave.Members, m)
	}
	got := ask[*kmsg.LeaveGroupResponse](r, leave)
	var codes []kafka.ErrorCode
	for _, m := range got.Members {
		codes = append(codes, kafka.ErrorCode(m.ErrorCode))
	}
	want := []kafka.ErrorCode{kafka.ErrNone, kafka.ErrUnknownMemberId, kafka.ErrUnknownMemberId, kafka.ErrUnknownMemberId}
	if got.ErrorCode != 0 || !slices.Equal(codes, want) || *got.Members[0].InstanceID != "i-1" {
		t.Fatalf("%+v", got)
	}
	if d := r.describe("g"); d.State != "Empty" {
		t.Fatalf("%+v", d)
	}
	old := kmsg.NewPtrLeaveGroupRequest()
	old.Version, old.Group, old.MemberID = 2, "g", a.id
	wantCode(t, ask[*kmsg.LeaveGroupResponse](r, old).ErrorCode, kafka.ErrUnknownMemberId)
	leave.Group = "none"
	if got := ask[*kmsg.LeaveGroupResponse](r, leave); got.ErrorCode != 0 || len(got.Members) != 4 || got.Members[0].ErrorCode != int16(kafka.ErrUnknownMemberId) {
		t.Fatalf("of a group that does not exist: %+v", got)
	}
}

func TestGroupsSessionEnds(t *testing.T) {
	r := newGroupRig(t)
	m := r.member().stable()
	for range 5 {
		r.w.Run(9 * time.Second)
		if code := m.beat(); code != kafka.ErrNone {
			t.Fatalf("heartbeat: %v", code)
		}
	}
	r.w.Run(11 * time.Second)
	if code := m.beat(); code != kafka.ErrUnknownMemberId {
		t.Fatalf("heartbeat after the session: %v", code)
	}
}

// TestGroupsMembersSurviveACrash: the coordinator comes back with the group as it was, and nobody rebalances.
func TestGroupsMembersSurviveACrash(t *testing.T) {
	r := newGroupRig(t)
	r.create("t", 1)
	m := r.member().stable()
	if code := m.commit("t", 0, 42); code != kafka.ErrNone {
		t.Fatal(code)
	}
	for _, again := range []func(){r.kill, r.restart} {
		again()
		r.coordinates()
		m.link = r.connect("PLAINTEXT")
		if code := m.beat(); code != kafka.ErrNone {
			t.Fatalf("heartbeat: %v", code)
		}
		if s := m.sync(); s.ErrorCode != 0 || string(s.MemberAssignment) != "of "+m.id {
			t.Fatalf("%+v", s)
		}
		if got := r.committed("t", 0); got != 42 {
			t.Fatalf("offset %d", got)
		}
	}
}

// TestGroupsEveryVersionOfTheMembersAPIs takes a group through its life once per version.
func TestGroupsEveryVersionOfTheMembersAPIs(t *testing.T) {
	r := newGroupRig(t)
	for v := range int16(10) {
		m := r.member()
		join := m.joining()
		join.Version, join.Group = v, "g"
		j := askOn[*kmsg.JoinGroupResponse](m.link, join)
		if v >= 4 {
			wantCode(t, j.ErrorCode, kafka.ErrMemberIdRequired)
			join.MemberID = j.MemberID
			j = askOn[*kmsg.JoinGroupResponse](m.link, join)
		}
		wantCode(t, j.ErrorCode, kafka.ErrNone)
		m.id, m.generation = j.MemberID, j.Generation
		if j.Protocol == nil || *j.Protocol != "range" || len(j.Members) != 1 || string(j.Members[0].ProtocolMetadata) != "for range" {
			t.Fatalf("v%d: %+v", v, j)
		}
		if (j.ProtocolType != nil) != (v >= 7) {
			t.Errorf("v%d: protocol type %v", v, j.ProtocolType)
		}
		sync := m.syncing(m.id)
		sync.Version = min(v, 5)
		if s := askOn[*kmsg.SyncGroupResponse](m.link, sync); s.ErrorCode != 0 || string(s.MemberAssignment) != "of "+m.id {
			t.Fatalf("v%d: %+v", v, s)
		}
		beat := kmsg.NewPtrHeartbeatRequest()
		beat.Version, beat.Group, beat.MemberID, beat.Generation = min(v, 4), "g", m.id, m.generation
		wantCode(t, askOn[*kmsg.HeartbeatResponse](m.link, beat).ErrorCode, kafka.ErrNone)
		leave := kmsg.NewPtrLeaveGroupRequest()
		leave.Version, leave.Group, leave.MemberID = min(v, 5), "g", m.id
		leave.Members = []kmsg.LeaveGroupRequestMember{{MemberID: m.id}}
		l := askOn[*kmsg.LeaveGroupResponse](m.link, leave)
		wantCode(t, l.ErrorCode, kafka.ErrNone)
		if v >= 3 {
			wantCode(t, l.Members[0].ErrorCode, kafka.ErrNone)
		}
	}
}
