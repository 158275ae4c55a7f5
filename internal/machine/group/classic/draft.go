package classic

import (
	"slices"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	rec "github.com/milena-io/milena/internal/staterecord/group"
)

// Reply answers a request: the body is a JoinReply, a SyncReply and so on.
type Reply struct {
	Token Token
	Body  any
}

// Event is something an operator wants to read, under Kafka's own words where Kafka logs it (ux.md 2.6).
type Event struct {
	Name string // stable, for grep
	Warn bool
	Text string
}

// Out is what a command leads to.
type Out struct {
	Records []rec.Record
	Replies []Reply
	Events  []Event
}

// Draft is a group being changed by one command.
type Draft struct {
	*Group
	Out
	now kafka.Instant
	cfg *Config
}

// Edit returns a draft of the group; the group itself stays as it is.
func (g *Group) Edit(now kafka.Instant, cfg *Config) *Draft {
	c := *g
	c.Members = slices.Clone(g.Members)
	c.Pending = slices.Clone(g.Pending)
	return &Draft{Group: &c, now: now, cfg: cfg}
}

func (d *Draft) reply(t Token, body any) {
	if t != 0 {
		d.Replies = append(d.Replies, Reply{Token: t, Body: body})
	}
}

// member returns a copy of a member, in its place, that may be changed.
func (d *Draft) member(id string) *Member {
	i, ok := d.find(id)
	if !ok {
		return nil
	}
	m := *d.Members[i]
	d.Members[i] = &m
	return &m
}

func (d *Draft) insert(m *Member) {
	i, _ := d.find(m.ID)
	d.Members = slices.Insert(d.Members, i, m)
}

// alive gives a member of this draft a session of its own that begins now.
func (d *Draft) alive(m *Member, timeout time.Duration) {
	m.session = &session{until: d.now.Mono + timeout}
}

// remove takes a member or a pending member out and answers what it has parked.
func (d *Draft) remove(id string, parked kafka.ErrorCode) {
	if i := d.pending(id); i >= 0 {
		d.Pending = slices.Delete(d.Pending, i, i+1)
	}
	i, ok := d.find(id)
	if !ok {
		return
	}
	m := d.Members[i]
	d.Members = slices.Delete(d.Members, i, i+1)
	d.reply(m.join, JoinReply{Err: parked, Generation: -1})
	d.reply(m.sync, SyncReply{Err: parked})
	if d.Leader == id {
		d.Leader = ""
		if len(d.Members) > 0 {
			d.Leader = d.Members[0].ID
		}
	}
}

func (d *Draft) enter(s State) {
	d.State = s
	d.StateSinceMs = d.now.WallMs
}

// write records the group as it now stands. A draft leads to one record at most: the last says everything.
func (d *Draft) write() {
	v := d.value()
	d.Durable, d.Promised = v, 0
	d.Records = []rec.Record{&rec.GroupMetadata{Group: d.ID, Value: v}}
}

// promise writes down that a generation is about to be told, beside the state that a failover must still find.
func (d *Draft) promise() {
	if d.Durable == nil {
		d.Durable = &rec.GroupValue{StateSinceMs: d.now.WallMs}
	}
	d.Promised = d.Generation
	v := *d.Durable
	v.Promised = d.Promised
	d.Records = []rec.Record{&rec.GroupMetadata{Group: d.ID, Value: &v}}
}

func (d *Draft) allJoined() bool {
	return len(d.Pending) == 0 && !slices.ContainsFunc(d.Members, func(m *Member) bool { return m.join == 0 })
}

func (d *Draft) rebalanceTimeout() time.Duration {
	var most int32
	for _, m := range d.Members {
		most = max(most, m.RebalanceTimeoutMs)
	}
	return ms(most)
}

// validate checks who sends a request: a known member, and for a static one the newest to use its instance id.
func (g *Group) validate(id string, instance *string) kafka.ErrorCode {
	m := g.Member(id)
	if instance != nil && (m == nil || m.InstanceID == nil || *m.InstanceID != *instance) {
		owner := g.static(*instance)
		if owner == nil {
			return kafka.ErrUnknownMemberId
		}
		if owner.ID != id {
			return kafka.ErrFencedInstanceId
		}
	}
	if m == nil {
		return kafka.ErrUnknownMemberId
	}
	return kafka.ErrNone
}
