package group

import (
	"fmt"
	"slices"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group/classic"
)

// Decide says what a command that Refuse lets pass leads to. It changes nothing. The reply to the token is in the result,
// or parked in the group and comes with a later one.
func (m *Machine) Decide(now kafka.Instant, t classic.Token, cmd Command) Result {
	switch c := cmd.(type) {
	case *classic.Join:
		return m.join(now, t, c)
	case *classic.Sync:
		return m.sync(now, t, c)
	case *classic.Heartbeat:
		return m.heartbeat(now, t, c)
	case *classic.Leave:
		return m.leave(now, t, c)
	case *Commit:
		return m.commit(now, t, c)
	case *FetchOffsets:
		return m.fetch(t, c)
	case *DeleteOffsets:
		return m.deleteOffsets(t, c)
	case *DeleteGroup:
		return m.deleteGroup(t, c)
	case *Describe:
		return answer(t, m.describe(c))
	case *List:
		return answer(t, m.list(c))
	case *TopicsDeleted:
		return m.topicsDeleted(c)
	case *Loaded:
		return m.loaded(now)
	case *Tick:
		return m.edit(now, c.Group, (*classic.Draft).Expire)
	case *ExpireOffsets:
		return m.expireOffsets(now)
	}
	panic(fmt.Sprintf("machine/group: no such command %T", cmd))
}

// answer is a result that says something and changes nothing.
func answer(t classic.Token, body any) Result {
	r := Result{After: kafka.NoOffset}
	r.Replies = []classic.Reply{{Token: t, Body: body}}
	return r
}

// edit lets f change a group that exists.
func (m *Machine) edit(now kafka.Instant, id string, f func(*classic.Draft)) Result {
	g, ok := m.groups.Get(id)
	if !ok {
		return Result{After: kafka.NoOffset}
	}
	return m.editGroup(now, g, f)
}

func (m *Machine) editGroup(now kafka.Instant, g *classic.Group, f func(*classic.Draft)) Result {
	d := g.Edit(now, &m.cfg.Classic)
	f(d)
	return Result{Out: d.Out, After: m.groups.PendingTo(g.ID), changes: []change{putGroup{d.Group}}}
}

func (m *Machine) join(now kafka.Instant, t classic.Token, j *classic.Join) Result {
	g, ok := m.groups.Get(j.Group)
	if !ok && j.MemberID != "" {
		return answer(t, classic.JoinReply{Err: kafka.ErrUnknownMemberId, Generation: -1, MemberID: j.MemberID})
	}
	if !ok {
		g = classic.New(j.Group, now.WallMs)
	}
	return m.editGroup(now, g, func(d *classic.Draft) { d.Join(t, j) })
}

func (m *Machine) sync(now kafka.Instant, t classic.Token, s *classic.Sync) Result {
	if _, ok := m.groups.Get(s.Group); !ok {
		return answer(t, classic.SyncReply{Err: kafka.ErrUnknownMemberId})
	}
	return m.edit(now, s.Group, func(d *classic.Draft) { d.Sync(t, s) })
}

func (m *Machine) heartbeat(now kafka.Instant, t classic.Token, h *classic.Heartbeat) Result {
	g, ok := m.groups.Get(h.Group)
	if !ok {
		return answer(t, classic.HeartbeatReply{Err: kafka.ErrUnknownMemberId})
	}
	member, code := g.Heartbeat(h)
	r := answer(t, classic.HeartbeatReply{Err: code})
	r.After = m.groups.PendingTo(h.Group)
	if member != nil {
		r.changes = []change{touch{member.Alive(now.Mono)}}
	}
	return r
}

func (m *Machine) leave(now kafka.Instant, t classic.Token, l *classic.Leave) Result {
	if _, ok := m.groups.Get(l.Group); !ok {
		r := classic.LeaveReply{}
		for _, who := range l.Members {
			r.Members = append(r.Members, classic.LeftMember{Leaving: who, Err: kafka.ErrUnknownMemberId})
		}
		return answer(t, r)
	}
	return m.edit(now, l.Group, func(d *classic.Draft) { d.Leave(t, l) })
}

// loaded starts the sessions of all groups and the first wait for expiry.
func (m *Machine) loaded(now kafka.Instant) Result {
	r := Result{After: kafka.NoOffset}
	for _, id := range m.groupIDs() {
		one := m.edit(now, id, (*classic.Draft).Loaded)
		r.Records = append(r.Records, one.Records...)
		r.Replies = append(r.Replies, one.Replies...)
		r.Events = append(r.Events, one.Events...)
		r.changes = append(r.changes, one.changes...)
	}
	r.changes = append(r.changes, setExpiry{expiry{at: now.Mono + m.cfg.OffsetsCheckEvery}})
	return r
}

func (m *Machine) groupIDs() []string {
	ids := make([]string, 0, m.groups.Len())
	m.groups.All(func(id string, _ *classic.Group) { ids = append(ids, id) })
	slices.Sort(ids)
	return ids
}
