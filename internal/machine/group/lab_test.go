package group_test

import (
	"slices"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group"
	"github.com/milena-io/milena/internal/machine/group/classic"
	rec "github.com/milena-io/milena/internal/staterecord/group"
)

// lab drives one machine as a coordinator would, with a log in memory. Unless it is told to hold, what is written is
// committed at once.
type lab struct {
	t       testing.TB
	cfg     group.Config
	m       *group.Machine
	now     kafka.Instant
	tokens  classic.Token
	log     []rec.Record // by offset
	commit  kafka.Offset
	hold    bool // appends wait for settle or fail
	waiting []waiting
	replies map[classic.Token]any
	events  []classic.Event
}

type waiting struct {
	after kafka.Offset
	reply classic.Reply
}

func newLab(t testing.TB, change ...func(*group.Config)) *lab {
	cfg := group.DefaultConfig()
	cfg.Classic.InitialRebalanceDelay = 0
	for _, f := range change {
		f(&cfg)
	}
	l := &lab{t: t, cfg: cfg, m: group.New(cfg), now: kafka.Instant{Mono: time.Hour, WallMs: 1_800_000_000_000}, replies: map[classic.Token]any{}}
	l.enact(0, &group.Loaded{})
	return l
}

// do decides a command and returns its token; the reply may come later.
func (l *lab) do(cmd group.Command) classic.Token {
	l.t.Helper()
	l.tokens++
	if refusal := l.cfg.Refuse(cmd); refusal != nil {
		l.replies[l.tokens] = refusal
		return l.tokens
	}
	l.enact(l.tokens, cmd)
	return l.tokens
}

func (l *lab) enact(t classic.Token, cmd group.Command) {
	r := l.m.Decide(l.now, t, cmd)
	base := kafka.Offset(len(l.log))
	after := l.m.Enact(base, &r)
	for _, record := range r.Records {
		// What is written must be readable as it was.
		k, v := rec.Encode(record)
		again, err := rec.Decode(k, v)
		if err != nil {
			l.t.Fatalf("%T writes %+v: %v", cmd, record, err)
		}
		l.log = append(l.log, again)
	}
	l.events = append(l.events, r.Events...)
	for _, reply := range r.Replies {
		l.waiting = append(l.waiting, waiting{after: after, reply: reply})
	}
	if !l.hold {
		l.settle()
	}
	l.give()
}

// settle commits everything written.
func (l *lab) settle() {
	l.commit = kafka.Offset(len(l.log))
	l.m.Commit(l.commit)
	l.give()
}

func (l *lab) give() {
	l.waiting = slices.DeleteFunc(l.waiting, func(w waiting) bool {
		if w.after > l.commit {
			return false
		}
		old, twice := l.replies[w.reply.Token]
		if twice && old == nil {
			return true // the shell answered it when an append failed, and drops what comes after that
		}
		if twice {
			l.t.Fatalf("request %d is answered twice: %+v, %+v", w.reply.Token, old, w.reply.Body)
		}
		l.replies[w.reply.Token] = w.reply.Body
		return true
	})
}

// fail lets every append since the last commit fail; the requests that lose their place are answered with nil.
func (l *lab) fail() {
	l.log = l.log[:l.commit]
	for _, t := range l.m.Revert(l.commit) {
		l.replies[t] = nil
	}
	for _, w := range l.waiting {
		l.replies[w.reply.Token] = nil
	}
	l.waiting = nil
}

// pass lets time go by, and with it whatever becomes due.
func (l *lab) pass(d time.Duration) {
	l.t.Helper()
	end := l.now.Mono + d
	for range 10_000 {
		at := l.m.Wake()
		if at == 0 || at > end {
			l.now = l.now.Add(end - l.now.Mono)
			return
		}
		l.now = l.now.Add(max(at-l.now.Mono, 0))
		for _, cmd := range l.m.Due(l.now) {
			l.enact(0, cmd)
		}
	}
	l.t.Fatal("time does not pass: something is due for ever")
}

// reload replaces the machine by one that has read the log, as a new coordinator would.
func (l *lab) reload() {
	l.log = l.log[:l.commit]
	l.m = group.New(l.cfg)
	for i, r := range l.log {
		l.m.Apply(kafka.Offset(i), kafka.NoProducerID, r)
	}
	l.m.Commit(l.commit)
	l.waiting = nil
	l.enact(0, &group.Loaded{})
}

// ask decides a command that must be answered at once.
func ask[R any](l *lab, cmd group.Command) R {
	l.t.Helper()
	return reply[R](l, l.do(cmd))
}

func reply[R any](l *lab, t classic.Token) R {
	l.t.Helper()
	body, ok := l.replies[t]
	if !ok {
		l.t.Fatalf("request %d is not answered", t)
	}
	r, ok := body.(R)
	if !ok {
		l.t.Fatalf("request %d is answered with %T %+v", t, body, body)
	}
	return r
}

func (l *lab) parked(t classic.Token) bool {
	_, ok := l.replies[t]
	return !ok
}

func (l *lab) describe() group.Description {
	l.t.Helper()
	return ask[group.Description](l, &group.Describe{Group: "g"})
}

func (l *lab) state(want classic.State) {
	l.t.Helper()
	if d := l.describe(); d.State != want {
		l.t.Fatalf("the group is %s, want %s", d.State, want)
	}
}

// member is a client of group g.
type member struct {
	l          *lab
	id         string
	instance   *string
	generation int32
	leader     bool
	join, sync classic.Token
}

func text(s string) *string { return &s }

var subscription = rec.AppendSubscription(nil, "t")

// request is a JoinGroup of version 9 by a consumer.
func request(id string, protocols ...string) *classic.Join {
	j := &classic.Join{Group: "g", MemberID: id, Client: classic.Client{ID: "c", Host: "/127.0.0.1"}, SessionTimeoutMs: 10_000,
		RebalanceTimeoutMs: 60_000, ProtocolType: "consumer", RequireMemberID: true, SkipAssignment: true}
	if len(protocols) == 0 {
		protocols = []string{"range"}
	}
	for _, p := range protocols {
		j.Protocols = append(j.Protocols, classic.Protocol{Name: p, Metadata: subscription})
	}
	return j
}

// enter lets a new dynamic member ask for an id and join with it.
func (l *lab) enter(id string, protocols ...string) *member {
	l.t.Helper()
	first := request("", protocols...)
	first.NewMemberID = id
	if r := ask[classic.JoinReply](l, first); r.Err != kafka.ErrMemberIdRequired || r.MemberID != id || r.Generation != -1 {
		l.t.Fatalf("%s is answered %+v", id, r)
	}
	m := &member{l: l, id: id}
	m.join = l.do(request(id, protocols...))
	return m
}

// enterStatic lets a static member join without an id.
func (l *lab) enterStatic(instance, id string) *member {
	l.t.Helper()
	j := request("")
	j.InstanceID, j.NewMemberID = text(instance), id
	return &member{l: l, id: id, instance: text(instance), join: l.do(j)}
}

func (m *member) rejoin() {
	m.l.t.Helper()
	j := request(m.id)
	j.InstanceID = m.instance
	m.join = m.l.do(j)
}

// joined takes the reply to the last join.
func (m *member) joined() classic.JoinReply {
	m.l.t.Helper()
	r := reply[classic.JoinReply](m.l, m.join)
	if r.Err != kafka.ErrNone {
		m.l.t.Fatalf("%s cannot join: %s", m.id, r.Err)
	}
	if r.MemberID != m.id {
		m.l.t.Fatalf("%s is called %s", m.id, r.MemberID)
	}
	m.generation, m.leader = r.Generation, r.Leader == m.id
	return r
}

func (m *member) askSync(assign ...string) {
	m.l.t.Helper()
	s := &classic.Sync{Group: "g", MemberID: m.id, InstanceID: m.instance, Generation: m.generation,
		ProtocolType: text("consumer"), Protocol: text("range")}
	for _, id := range assign {
		s.Assignments = append(s.Assignments, classic.MemberAssignment{MemberID: id, Bytes: []byte("for " + id)})
	}
	m.sync = m.l.do(s)
}

func (m *member) beat() kafka.ErrorCode {
	m.l.t.Helper()
	return ask[classic.HeartbeatReply](m.l, &classic.Heartbeat{Group: "g", MemberID: m.id, InstanceID: m.instance, Generation: m.generation}).Err
}

func (m *member) leave() kafka.ErrorCode {
	m.l.t.Helper()
	r := ask[classic.LeaveReply](m.l, &classic.Leave{Group: "g", Members: []classic.Leaving{{MemberID: m.id, InstanceID: m.instance}}})
	if r.Err != kafka.ErrNone || len(r.Members) != 1 {
		m.l.t.Fatalf("leaving is answered %+v", r)
	}
	return r.Members[0].Err
}

// commitAt commits an offset for t-0 as the member.
func (m *member) commitAt(o kafka.Offset) kafka.ErrorCode {
	m.l.t.Helper()
	return m.l.commitAs(m.id, m.instance, m.generation, o)
}

func (l *lab) commitAs(id string, instance *string, generation int32, o kafka.Offset) kafka.ErrorCode {
	l.t.Helper()
	r := ask[group.CommitReply](l, &group.Commit{Group: "g", MemberID: id, InstanceID: instance, Generation: generation, RetentionMs: -1,
		MissingGroup: kafka.ErrIllegalGeneration, Offsets: []group.CommitOffset{{Partition: kafka.TopicPartition{Topic: "t"}, Offset: o, LeaderEpoch: -1}}})
	if r.Err != kafka.ErrNone {
		return r.Err
	}
	return r.Codes[0]
}

// fetchAt returns the offset committed for t-0.
func (l *lab) fetchAt() kafka.Offset {
	l.t.Helper()
	r := ask[group.FetchReply](l, &group.FetchOffsets{Group: "g", Partitions: []group.WantedOffset{{Partition: kafka.TopicPartition{Topic: "t"}}}})
	return r.Offsets[0].Offset
}

// stable brings a group of dynamic members to Stable. The first is the leader.
func (l *lab) stable(ids ...string) []*member {
	l.t.Helper()
	var all []*member
	for _, id := range ids {
		all = append(all, l.enter(id))
	}
	return l.settleGroup(all)
}

// settleGroup lets everybody join again who was not answered last, and sync.
func (l *lab) settleGroup(all []*member) []*member {
	l.t.Helper()
	for _, m := range all {
		if !l.parked(m.join) {
			m.rejoin()
		}
	}
	var ids []string
	for _, m := range all {
		m.joined()
		ids = append(ids, m.id)
	}
	for _, m := range all {
		if m.leader {
			m.askSync(ids...)
		}
	}
	for _, m := range all {
		if !m.leader {
			m.askSync()
		}
		if r := reply[classic.SyncReply](l, m.sync); r.Err != kafka.ErrNone || string(r.Assignment) != "for "+m.id {
			l.t.Fatalf("%s is assigned %+v", m.id, r)
		}
	}
	l.state(classic.Stable)
	return all
}
