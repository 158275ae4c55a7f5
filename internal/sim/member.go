package sim

import (
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/kafka"
)

// member is a consumer in a group of the classic protocol: it joins, is given partitions, reads where the group stands and commits
// ever further offsets, each with a number of its own in its metadata. Now and then it is killed and comes back as another.
type member struct {
	c           *client
	group       string
	all         []kafka.TopicPartition // what the group reads
	coordinator kafka.NodeID
	id          string // as the coordinator gave it; empty before
	generation  int32
	past        int32                  // the generation before it that this member was in, -1 for none
	keys        []kafka.TopicPartition // owned
	settled     bool                   // it owns keys in its generation
	life        int                    // counts what it was; answers to an earlier one are dropped
	offset      kafka.Offset
	session     time.Duration
}

func newMember(r *run, host, group string, all []kafka.TopicPartition) *member {
	m := &member{c: newClient(r, host), group: group, all: all, coordinator: kafka.NoNode, generation: -1, past: -1}
	m.session = time.Duration(500+r.dice.IntN(2500)) * time.Millisecond
	m.c.later(backoff, m.join)
	m.c.later(8*time.Second, m.crash)
	return m
}

// crash ends the member without a word, and has another begin in its place.
func (m *member) crash() {
	if m.c.r.phase != faulty {
		return
	}
	m.c.r.note("member %s of %s is killed", m.id, m.group)
	m.id, m.generation, m.keys = "", -1, nil
	m.again()
	m.c.later(8*time.Second, m.crash)
}

// again begins anew, in another life.
func (m *member) again() {
	m.settled = false
	m.life++
	life := m.life
	m.c.later(backoff, func() {
		if m.life == life {
			m.join()
		}
	})
}

// event is an event of this member.
func (m *member) event(f history.GroupFunction) history.GroupOp {
	return history.GroupOp{
		Group: m.group, Member: m.id, F: f, Generation: m.generation, Coordinator: m.coordinator, Epoch: kafka.NoLeaderEpoch,
	}
}

// tell records something that the member did by itself.
func (m *member) tell(e history.GroupOp) {
	e = m.c.r.record.BeginGroup(e)
	e.Kind = history.Ok
	m.c.r.record.EndGroup(e)
}

// ask sends a request to the coordinator; an answer that comes when this life is over is not for anybody, but it is recorded.
func (m *member) ask(req kmsg.Request, e history.GroupOp, done func(resp kmsg.Response, e history.GroupOp) (after func())) {
	r := m.c.r
	e = r.record.BeginGroup(e)
	life := m.life
	m.c.to(m.coordinator).ask(req, asked, func(resp kmsg.Response, how history.Transport) {
		e.Kind = history.Info
		if how == history.Unsent {
			e.Kind = history.Fail
		}
		after := m.lost
		if how == history.Answered {
			after = done(resp, e)
		} else {
			r.record.EndGroup(e)
		}
		if m.life == life && after != nil {
			after()
		}
	})
}

// lost looks for the coordinator again.
func (m *member) lost() {
	m.coordinator = kafka.NoNode
	m.again()
}

// failed acts on an error as the Java client does.
func (m *member) failed(code kafka.ErrorCode) func() {
	m.c.r.note("member %s of %s in generation %d: %v", m.id, m.group, m.generation, code)
	switch code {
	case kafka.ErrUnknownMemberId, kafka.ErrIllegalGeneration, kafka.ErrFencedInstanceId:
		return func() { m.id, m.generation = "", -1; m.again() }
	case kafka.ErrRebalanceInProgress:
		return m.again
	case kafka.ErrNotCoordinator, kafka.ErrCoordinatorNotAvailable, kafka.ErrNetworkException, kafka.ErrKafkaStorageError:
		return m.lost
	case kafka.ErrCoordinatorLoadInProgress, kafka.ErrRequestTimedOut, kafka.ErrUnstableOffsetCommit:
		return m.again
	}
	return func() {
		m.c.r.broken("group", "member %q of %s in generation %d: %v", m.id, m.group, m.generation, code)
	}
}

// find asks who coordinates.
func (m *member) find() {
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.Version, req.CoordinatorKey = 3, m.group
	life := m.life
	m.c.any().ask(req, asked/2, func(resp kmsg.Response, _ history.Transport) {
		if m.life != life {
			return
		}
		if in, ok := resp.(*kmsg.FindCoordinatorResponse); ok && in.ErrorCode == 0 {
			m.coordinator = kafka.NodeID(in.NodeID)
		} else if ok {
			m.c.r.note("group %s has no coordinator: %v", m.group, kafka.ErrorCode(in.ErrorCode))
		}
		m.c.later(backoff, func() {
			if m.life == life {
				m.join()
			}
		})
	})
}

// beat keeps the member in its group until something changes.
func (m *member) beat() {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Version, req.Group, req.Generation, req.MemberID = 3, m.group, m.generation, m.id
	life := m.life
	m.c.to(m.coordinator).ask(req, asked, func(resp kmsg.Response, how history.Transport) {
		if m.life != life {
			return
		}
		switch in, ok := resp.(*kmsg.HeartbeatResponse); {
		case !ok:
			m.lost()
		case in.ErrorCode != 0:
			m.failed(kafka.ErrorCode(in.ErrorCode))()
		default:
			m.in(m.session/5, m.beat)
		}
	})
}

// in calls f later in this life.
func (m *member) in(d time.Duration, f func()) {
	life := m.life
	m.c.later(d, func() {
		if m.life == life {
			f()
		}
	})
}

// commitOf is a commit of further offsets in a generation, as a request and as an event.
func (m *member) commitOf(generation int32, keys []kafka.TopicPartition) (*kmsg.OffsetCommitRequest, history.GroupOp) {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version, req.Group, req.Generation, req.MemberID = 7, m.group, generation, m.id
	e := m.event(history.GroupCommit)
	e.Generation = generation
	for _, k := range keys {
		m.offset++
		id := m.c.r.crowd.commit()
		e.Keys = append(e.Keys, k)
		e.Offsets = append(e.Offsets, history.Mark{Key: k, Off: m.offset, ID: id})
		t, p := kmsg.NewOffsetCommitRequestTopic(), kmsg.NewOffsetCommitRequestTopicPartition()
		note := strconv.FormatUint(id, 10)
		t.Topic, p.Partition, p.Offset, p.Metadata = k.Topic, k.Partition, int64(m.offset), &note
		t.Partitions = append(t.Partitions, p)
		req.Topics = append(req.Topics, t)
	}
	return req, e
}

// commit commits offsets, again and again.
func (m *member) commit() {
	r := m.c.r
	if r.phase == reading {
		return
	}
	req, e := m.commitOf(m.generation, m.keys)
	m.ask(req, e, func(resp kmsg.Response, e history.GroupOp) func() {
		code := committed(resp.(*kmsg.OffsetCommitResponse))
		e.Kind, e.Code = history.OffsetsCommitted(code), code
		r.record.EndGroup(e)
		if code != kafka.ErrNone {
			return m.failed(code)
		}
		r.reached.Of[Committed]++
		return func() { m.in(150*time.Millisecond, m.commit) }
	})
}

// committed is what became of a commit: the first error of it.
func committed(in *kmsg.OffsetCommitResponse) kafka.ErrorCode {
	for _, t := range in.Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode != 0 {
				return kafka.ErrorCode(p.ErrorCode)
			}
		}
	}
	return kafka.ErrNone
}

// haunt commits in the generation before, as a thread does that has not heard of the new one (F32): nobody may take it (G4).
func (m *member) haunt() {
	if m.past < 0 || len(m.keys) == 0 {
		return
	}
	r := m.c.r
	req, e := m.commitOf(m.past, m.keys[:1])
	m.past = -1
	e = r.record.BeginGroup(e)
	m.c.to(m.coordinator).ask(req, asked, func(resp kmsg.Response, _ history.Transport) {
		e.Kind = history.Info
		if in, ok := resp.(*kmsg.OffsetCommitResponse); ok {
			code := committed(in)
			if e.Kind, e.Code = history.OffsetsCommitted(code), code; code == kafka.ErrIllegalGeneration {
				r.reached.add(Zombies)
			}
		}
		r.record.EndGroup(e)
	})
}

// stand asks where the group stands in what this member was given.
func (m *member) stand() {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Version, req.Group, req.RequireStable = 7, m.group, true
	e := m.event(history.GroupFetch)
	for _, k := range m.keys {
		t := kmsg.NewOffsetFetchRequestTopic()
		t.Topic, t.Partitions = k.Topic, []int32{k.Partition}
		req.Topics = append(req.Topics, t)
	}
	m.ask(req, e, func(resp kmsg.Response, e history.GroupOp) func() {
		in := resp.(*kmsg.OffsetFetchResponse)
		code := kafka.ErrorCode(in.ErrorCode)
		for _, t := range in.Topics {
			for _, p := range t.Partitions {
				if p.ErrorCode != 0 {
					code = kafka.ErrorCode(p.ErrorCode)
					continue
				}
				e.Offsets = append(e.Offsets, mark(kafka.TopicPartition{Topic: t.Topic, Partition: p.Partition}, &p))
			}
		}
		if code != kafka.ErrNone {
			e.Kind, e.Code, e.Offsets = history.Fail, code, nil
			m.c.r.record.EndGroup(e)
			return m.failed(code)
		}
		e.Kind = history.Ok
		m.c.r.record.EndGroup(e)
		return func() {
			m.settled = true
			m.haunt()
			m.in(100*time.Millisecond, m.commit)
		}
	})
}

// mark is a committed offset as a fetch returned it.
func mark(tp kafka.TopicPartition, p *kmsg.OffsetFetchResponseTopicPartition) history.Mark {
	out := history.Mark{Key: tp, Off: kafka.Offset(p.Offset)}
	if p.Metadata != nil && p.Offset >= 0 {
		id, err := strconv.ParseUint(*p.Metadata, 10, 64)
		if out.ID = id; err != nil {
			out.ID = 1<<63 - 1 // nobody's
		}
	}
	return out
}

// unsettled lists the groups that are not stable: somebody is without a generation, or a partition without an owner.
func (r *run) unsettled() (out []string) {
	owned := map[string][]kafka.TopicPartition{}
	generations := map[string]int32{}
	for _, m := range r.crowd.members {
		g, seen := generations[m.group]
		if !m.settled || seen && g != m.generation {
			out = append(out, m.group+": "+m.c.host)
		}
		generations[m.group] = m.generation
		owned[m.group] = append(owned[m.group], m.keys...)
	}
	for _, m := range r.crowd.members {
		for _, tp := range m.all {
			if !slices.Contains(owned[m.group], tp) {
				out = append(out, m.group+": nobody has "+tp.String())
			}
		}
	}
	return out
}
