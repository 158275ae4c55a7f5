package sim

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/kafka"
)

// join gives up what the member owned, and joins the next generation.
func (m *member) join() {
	if m.coordinator < 0 {
		m.find()
		return
	}
	m.settled = false
	if len(m.keys) > 0 {
		e := m.event(history.GroupRevoke)
		e.Keys = m.keys
		m.keys = nil
		m.tell(e)
	}
	req := kmsg.NewPtrJoinGroupRequest()
	req.Version, req.Group, req.MemberID, req.ProtocolType = 5, m.group, m.id, "consumer"
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = int32(m.session.Milliseconds()), 1500
	p := kmsg.NewJoinGroupRequestProtocol()
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Version, meta.Topics = 1, []string{topic}
	p.Name, p.Metadata = "range", meta.AppendTo(nil)
	req.Protocols = append(req.Protocols, p)
	e := m.event(history.GroupJoin)
	m.ask(req, e, func(resp kmsg.Response, e history.GroupOp) func() {
		in := resp.(*kmsg.JoinGroupResponse)
		code := kafka.ErrorCode(in.ErrorCode)
		if in.MemberID != "" {
			e.Member = in.MemberID
		}
		if code != kafka.ErrNone {
			e.Kind, e.Code = history.Fail, code
			m.c.r.record.EndGroup(e)
			if code == kafka.ErrMemberIdRequired {
				return func() { m.id = in.MemberID; m.join() }
			}
			return m.failed(code)
		}
		e.Kind, e.Generation = history.Ok, in.Generation
		m.c.r.record.EndGroup(e)
		return func() {
			if m.past = -1; m.id == in.MemberID && in.Generation > m.generation {
				m.past = m.generation
			}
			m.id, m.generation = in.MemberID, in.Generation
			m.sync(in)
		}
	})
}

// sync asks for the member's part, and brings everybody's where it leads.
func (m *member) sync(in *kmsg.JoinGroupResponse) {
	req := kmsg.NewPtrSyncGroupRequest()
	req.Version, req.Group, req.Generation, req.MemberID = 3, m.group, m.generation, m.id
	if in.LeaderID == m.id {
		req.GroupAssignment = m.share(in.Members)
	}
	e := m.event(history.GroupAssign)
	m.ask(req, e, func(resp kmsg.Response, e history.GroupOp) func() {
		out := resp.(*kmsg.SyncGroupResponse)
		if code := kafka.ErrorCode(out.ErrorCode); code != kafka.ErrNone {
			e.Kind, e.Code = history.Fail, code
			m.c.r.record.EndGroup(e)
			return m.failed(code)
		}
		var a kmsg.ConsumerMemberAssignment
		if err := a.ReadFrom(out.MemberAssignment); err != nil {
			m.c.r.broken("group", "member %s was given a part that does not parse: %v", m.id, err)
		}
		for _, t := range a.Topics {
			for _, p := range t.Partitions {
				e.Keys = append(e.Keys, kafka.TopicPartition{Topic: t.Topic, Partition: p})
			}
		}
		e.Kind = history.Ok
		m.c.r.record.EndGroup(e)
		return func() {
			m.c.r.reached.add(Rebalances)
			m.keys = e.Keys
			m.in(m.session/5, m.beat)
			if len(m.keys) == 0 {
				m.settled = true
				return
			}
			m.stand()
		}
	})
}

// share gives each member its part, in the order of their names.
func (m *member) share(members []kmsg.JoinGroupResponseMember) (out []kmsg.SyncGroupRequestGroupAssignment) {
	var ids []string
	for _, x := range members {
		ids = append(ids, x.MemberID)
	}
	slices.Sort(ids)
	for i, id := range ids {
		var t kmsg.ConsumerMemberAssignmentTopic
		t.Topic = topic
		for n, tp := range m.all {
			if n%len(ids) == i {
				t.Partitions = append(t.Partitions, tp.Partition)
			}
		}
		a := kmsg.NewConsumerMemberAssignment()
		a.Version, a.Topics = 1, []kmsg.ConsumerMemberAssignmentTopic{t}
		g := kmsg.NewSyncGroupRequestGroupAssignment()
		g.MemberID, g.MemberAssignment = id, a.AppendTo(nil)
		out = append(out, g)
	}
	return out
}
