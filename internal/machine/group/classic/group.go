// Package classic decides one group of the classic consumer group protocol (KIP-62, 345, 394, 429, 480, 559, 814):
// who is a member, when a rebalance begins and ends, which protocol wins, and who is answered what.
//
// It is pure. machine/group keeps the groups, hands out commands and timers, and writes the records. A Group is a
// value that never changes once it stands in a table: a Draft is a copy that is changed by one command and then takes
// its place. The only exception is a member's session, which a heartbeat moves in place; forgetting a heartbeat never
// brings back a lost state, so there is nothing to undo.
//
// Invariants: every member of a Stable group has the assignment of its generation or an empty one; a generation, once
// told to anybody, is never told again for another set of members, also after a failover (GroupValue.Promised); a
// parked request is answered exactly once, but for those that a revert brings back (see Machine.Revert).
package classic

import (
	"slices"
	"strings"
	"time"

	rec "github.com/milena-io/milena/internal/staterecord/group"
)

// State is Kafka's state of a classic group.
type State uint8

// The states. Dead is what queries answer for a group that does not exist.
const (
	Empty State = iota
	PreparingRebalance
	CompletingRebalance
	Stable
	Dead
)

// String returns Kafka's spelling, which tools print and filter by.
func (s State) String() string {
	switch s {
	case Empty:
		return "Empty"
	case PreparingRebalance:
		return "PreparingRebalance"
	case CompletingRebalance:
		return "CompletingRebalance"
	case Stable:
		return "Stable"
	}
	return "Dead"
}

// Token stands for a request whose reply the shell holds. Zero is no request.
type Token uint64

// Config is what a broker's configuration says about classic groups.
type Config struct {
	MaxSize               int           // group.max.size
	InitialRebalanceDelay time.Duration // group.initial.rebalance.delay.ms
	MinSessionTimeoutMs   int32         // group.min.session.timeout.ms
	MaxSessionTimeoutMs   int32         // group.max.session.timeout.ms
	// NewMemberJoinTimeout bounds how long a member may sit in its first join: it cannot send heartbeats yet, and a
	// client that gave up leaves a member behind. Five minutes, a constant in Kafka.
	NewMemberJoinTimeout time.Duration
}

// Group is the state of one group.
type Group struct {
	ID           string
	State        State
	StateSinceMs int64  // wall time; -1 unknown
	ProtocolType string // "" until the first member
	Protocol     string // "" while none is selected
	Leader       string // "" when there are no members
	Generation   int32
	Promised     int32           // highest generation told beyond what Durable says, also by an earlier coordinator; 0 none
	Members      []*Member       // by ID
	Pending      []Pending       // members that were sent MEMBER_ID_REQUIRED and have not come back
	Durable      *rec.GroupValue // what the log says, without a promise; nil when it says nothing

	round  round
	topics topics
}

// Pending is a member id that was handed out (KIP-394).
type Pending struct {
	ID    string
	until time.Duration
}

// round is the rebalance under way. Moments are Mono; zero is none.
type round struct {
	joinAt    time.Duration // when the join phase ends at the latest
	syncAt    time.Duration // when members that have not synced are removed
	initial   bool          // began in Empty, so it waits for more members even when all have joined
	grown     bool          // a member came since the delay was last set
	delay     time.Duration // the part of the initial wait that is running
	remaining time.Duration // what the wait may still be extended by
}

// topics are those the members of a consumer group subscribe to, if their metadata could be read.
type topics struct {
	known bool
	set   map[string]struct{}
}

// New returns an empty group that has never had a member.
func New(id string, nowMs int64) *Group { return &Group{ID: id, StateSinceMs: nowMs} }

// FromRecord rebuilds a group as its last record says.
func FromRecord(id string, v *rec.GroupValue) *Group {
	g := &Group{
		ID: id, State: Empty, StateSinceMs: v.StateSinceMs, ProtocolType: v.ProtocolType, Protocol: v.Protocol,
		Leader: v.Leader, Generation: v.Generation, Promised: v.Promised,
	}
	durable := *v
	durable.Promised = 0
	g.Durable = &durable
	for i := range v.Members {
		m := &v.Members[i]
		g.Members = append(g.Members, &Member{
			ID: m.ID, InstanceID: m.InstanceID, Client: Client{ID: m.ClientID, Host: m.ClientHost},
			RebalanceTimeoutMs: m.RebalanceTimeoutMs, SessionTimeoutMs: m.SessionTimeoutMs,
			Protocols:  []Protocol{{Name: v.Protocol, Metadata: m.Subscription}},
			Assignment: m.Assignment, session: &session{},
		})
	}
	if len(g.Members) > 0 {
		g.State = Stable
	}
	slices.SortFunc(g.Members, func(a, b *Member) int { return strings.Compare(a.ID, b.ID) })
	g.Members = slices.CompactFunc(g.Members, func(a, b *Member) bool { return a.ID == b.ID })
	if _, ok := g.find(g.Leader); !ok && len(g.Members) > 0 {
		g.Leader = g.Members[0].ID
	}
	g.topics = g.subscribed()
	return g
}

// value is the group as a record.
func (g *Group) value() *rec.GroupValue {
	v := &rec.GroupValue{
		ProtocolType: g.ProtocolType, Generation: g.Generation, Protocol: g.Protocol, Leader: g.Leader,
		StateSinceMs: g.StateSinceMs,
	}
	for _, m := range g.Members {
		v.Members = append(v.Members, rec.MemberValue{
			ID: m.ID, InstanceID: m.InstanceID, ClientID: m.Client.ID, ClientHost: m.Client.Host,
			RebalanceTimeoutMs: m.RebalanceTimeoutMs, SessionTimeoutMs: m.SessionTimeoutMs,
			Subscription: m.Metadata(g.Protocol), Assignment: m.Assignment,
		})
	}
	return v
}

// Nothing reports whether the group holds nothing worth keeping and the log does not know it.
func (g *Group) Nothing() bool {
	return g.State == Empty && len(g.Members) == 0 && len(g.Pending) == 0 && g.Durable == nil
}

// Idle reports whether the group has neither members nor anybody about to become one.
func (g *Group) Idle() bool { return g.State == Empty && len(g.Pending) == 0 }

// Member returns a member by id, or nil.
func (g *Group) Member(id string) *Member {
	if i, ok := g.find(id); ok {
		return g.Members[i]
	}
	return nil
}

func (g *Group) find(id string) (int, bool) {
	return slices.BinarySearchFunc(g.Members, id, func(m *Member, id string) int { return strings.Compare(m.ID, id) })
}

func (g *Group) static(instance string) *Member {
	for _, m := range g.Members {
		if m.InstanceID != nil && *m.InstanceID == instance {
			return m
		}
	}
	return nil
}

func (g *Group) pending(id string) int {
	return slices.IndexFunc(g.Pending, func(p Pending) bool { return p.ID == id })
}

// UsesConsumerProtocol reports whether the members are consumers, whose metadata the broker can read.
func (g *Group) UsesConsumerProtocol() bool { return g.ProtocolType == rec.ConsumerProtocol }

// SubscribedTo reports whether a member subscribes to a topic. When the metadata of a consumer group could not be read
// it may be any topic, so the answer is yes.
func (g *Group) SubscribedTo(topic string) bool {
	if !g.topics.known {
		return g.UsesConsumerProtocol()
	}
	_, ok := g.topics.set[topic]
	return ok
}

// TopicsKnown reports whether SubscribedTo is exact.
func (g *Group) TopicsKnown() bool { return g.topics.known }

func (g *Group) subscribed() topics {
	if !g.UsesConsumerProtocol() {
		return topics{}
	}
	t := topics{known: true}
	if len(g.Members) == 0 {
		return t
	}
	t.set = map[string]struct{}{}
	for _, m := range g.Members {
		names, err := rec.SubscribedTopics(m.Metadata(g.Protocol))
		if err != nil {
			return topics{} // a client's own bytes: legal, only unreadable
		}
		for _, n := range names {
			t.set[n] = struct{}{}
		}
	}
	return t
}

// Next returns the moment at which Expire has something to do, or zero. It may be too early, never too late.
func (g *Group) Next() time.Duration {
	next := g.round.joinAt
	earlier := func(d time.Duration) {
		if d > 0 && (next == 0 || d < next) {
			next = d
		}
	}
	earlier(g.round.syncAt)
	for _, p := range g.Pending {
		earlier(p.until)
	}
	for _, m := range g.Members {
		earlier(m.session.until)
	}
	return next
}

// Parked calls f for every request that waits for this group.
func (g *Group) Parked(f func(Token)) {
	for _, m := range g.Members {
		if m.join != 0 {
			f(m.join)
		}
		if m.sync != 0 {
			f(m.sync)
		}
	}
}
