package classic

import (
	"fmt"
	"slices"

	"github.com/milena-io/milena/internal/kafka"
)

// Join is a JoinGroup request.
type Join struct {
	Group              string
	MemberID           string // "" when the client has none yet
	NewMemberID        string // the id to give it then
	InstanceID         *string
	Client             Client
	SessionTimeoutMs   int32
	RebalanceTimeoutMs int32
	ProtocolType       string
	Protocols          []Protocol
	Reason             string
	RequireMemberID    bool // version 4 and up: a dynamic member comes back with its id before it counts (KIP-394)
	SkipAssignment     bool // version 9 and up: a leader can be told not to assign (KIP-814)
}

// JoinReply is the answer to a Join.
type JoinReply struct {
	Err            kafka.ErrorCode
	Generation     int32
	ProtocolType   string
	Protocol       string
	Leader         string
	MemberID       string
	SkipAssignment bool
	Members        []JoinMember // only for the leader
}

// JoinMember is a member as the leader sees it.
type JoinMember struct {
	ID         string
	InstanceID *string
	Metadata   []byte
}

// Join decides a JoinGroup. The reply is given at once or parked until the join phase ends.
func (d *Draft) Join(t Token, j *Join) {
	refuse := func(code kafka.ErrorCode, member string) {
		d.reply(t, JoinReply{Err: code, Generation: -1, MemberID: member})
	}
	switch {
	case !d.accepts(j.MemberID):
		d.remove(j.MemberID, kafka.ErrUnknownMemberId)
		refuse(kafka.ErrGroupMaxSizeReached, "")
		d.maybeCompleteJoin()
	case !d.supports(j.ProtocolType, j.Protocols):
		refuse(kafka.ErrInconsistentGroupProtocol, j.MemberID)
	case j.MemberID == "":
		d.joinNew(t, j)
	case d.pending(j.MemberID) >= 0 && j.InstanceID == nil:
		d.add(t, j, j.MemberID)
	default:
		if code := d.validate(j.MemberID, j.InstanceID); code != kafka.ErrNone {
			refuse(code, j.MemberID)
			return
		}
		d.rejoin(t, j)
	}
}

// accepts keeps the group within group.max.size. While a rebalance gathers members those that have joined count, so
// that an oversized group loses whoever comes last.
func (d *Draft) accepts(id string) bool {
	m := d.Member(id)
	switch d.State {
	case PreparingRebalance:
		joined := 0
		for _, m := range d.Members {
			if m.join != 0 {
				joined++
			}
		}
		return m != nil && m.join != 0 || joined < d.cfg.MaxSize
	case CompletingRebalance, Stable:
		return m != nil || len(d.Members) < d.cfg.MaxSize
	}
	return true
}

// supports reports whether a member with these protocols can be in the group: some protocol of its is everybody's.
func (d *Draft) supports(protocolType string, ps []Protocol) bool {
	if d.State == Empty {
		return protocolType != "" && len(ps) > 0
	}
	return protocolType == d.ProtocolType && slices.ContainsFunc(ps, func(p Protocol) bool { return d.common(p.Name) })
}

func (d *Draft) common(protocol string) bool {
	for _, m := range d.Members {
		if !m.supports(protocol) {
			return false
		}
	}
	return true
}

func (d *Draft) joinNew(t Token, j *Join) {
	if j.InstanceID != nil {
		if old := d.static(*j.InstanceID); old != nil {
			d.replaceStatic(t, j, old.ID)
			return
		}
		d.event("group_static_member", "Static member with groupInstanceId=%s and unknown member id joins group %s in %s state. "+
			"Created a new member id %s for this member and adding to the group.", *j.InstanceID, d.ID, d.State, j.NewMemberID)
		d.add(t, j, j.NewMemberID)
		return
	}
	if !j.RequireMemberID {
		d.event("group_member_id", "Dynamic member with unknown member id joins group %s in %s state. Created a new member id %s "+
			"for this member and adding to the group.", d.ID, d.State, j.NewMemberID)
		d.add(t, j, j.NewMemberID)
		return
	}
	d.Pending = append(d.Pending, Pending{ID: j.NewMemberID, until: d.now.Mono + ms(j.SessionTimeoutMs)})
	d.event("group_member_id", "Dynamic member with unknown member id joins group %s in %s state. Created a new member id %s "+
		"and requesting the member to rejoin with this id.", d.ID, d.State, j.NewMemberID)
	d.reply(t, JoinReply{Err: kafka.ErrMemberIdRequired, Generation: -1, MemberID: j.NewMemberID})
}

// add makes a new member of the group and starts or joins a rebalance.
func (d *Draft) add(t Token, j *Join, id string) {
	if i := d.pending(id); i >= 0 {
		d.Pending = slices.Delete(d.Pending, i, i+1)
	}
	if len(d.Members) == 0 {
		d.ProtocolType = j.ProtocolType
		d.Leader = id
	}
	if d.State == PreparingRebalance && d.round.initial {
		d.round.grown = true
	}
	m := &Member{ID: id, InstanceID: j.InstanceID, Client: j.Client, join: t, fresh: true}
	m.take(j)
	d.alive(m, d.cfg.NewMemberJoinTimeout)
	d.insert(m)
	d.rebalance("Adding new member %s with group instance id %s; client reason: %s", id, name(j.InstanceID), reason(j.Reason))
}

// take gives a member what its JoinGroup says.
func (m *Member) take(j *Join) {
	m.Protocols = j.Protocols
	m.RebalanceTimeoutMs = j.RebalanceTimeoutMs
	m.SessionTimeoutMs = j.SessionTimeoutMs
}

// rejoin decides the JoinGroup of a member that is in the group.
func (d *Draft) rejoin(t Token, j *Join) {
	m := d.Member(j.MemberID)
	same := m.sameProtocols(j.Protocols)
	switch {
	case d.State == PreparingRebalance:
		d.park(t, j)
		d.rebalance("Member %s is joining group during %s; client reason: %s", m.ID, d.State, reason(j.Reason))
	case d.State == CompletingRebalance && same:
		// It did not get the answer to its join: tell it again.
		d.reply(t, d.joined(m.ID))
	case d.State == Stable && m.ID == d.Leader:
		// A leader rejoins to have partitions assigned anew, for instance because a topic grew.
		d.park(t, j)
		d.rebalance("Leader %s re-joining group during %s; client reason: %s", m.ID, d.State, reason(j.Reason))
	case d.State == Stable && same:
		r := d.joined(m.ID)
		r.Members = nil
		d.reply(t, r)
	default:
		d.park(t, j)
		d.rebalance("Updating metadata for member %s during %s; client reason: %s", m.ID, d.State, reason(j.Reason))
	}
}

// park holds a JoinGroup until the join phase ends. The same member asking twice means that it gave the first up.
func (d *Draft) park(t Token, j *Join) {
	m := d.member(j.MemberID)
	d.reply(m.join, JoinReply{Err: kafka.ErrCoordinatorNotAvailable, Generation: -1, MemberID: m.ID})
	m.join = t
	m.take(j)
}

// joined is the answer that tells a member of the current generation.
func (d *Draft) joined(id string) JoinReply {
	r := JoinReply{Generation: d.Generation, ProtocolType: d.ProtocolType, Protocol: d.Protocol, Leader: d.Leader, MemberID: id}
	if id == d.Leader {
		for _, m := range d.Members {
			r.Members = append(r.Members, JoinMember{ID: m.ID, InstanceID: m.InstanceID, Metadata: m.Metadata(d.Protocol)})
		}
	}
	return r
}

// replaceStatic lets a static member that restarted take the place of its former self under a new id (KIP-345). Whoever
// still uses the old id is fenced.
func (d *Draft) replaceStatic(t Token, j *Join, oldID string) {
	d.event("group_static_member", "Static member with groupInstanceId=%s and unknown member id joins group %s in %s state. "+
		"Replacing previously mapped member %s with this groupInstanceId.", *j.InstanceID, d.ID, d.State, oldID)
	leader := d.Leader
	i, _ := d.find(oldID)
	m := *d.Members[i]
	d.reply(m.join, JoinReply{Err: kafka.ErrFencedInstanceId, Generation: -1, MemberID: oldID})
	d.reply(m.sync, SyncReply{Err: kafka.ErrFencedInstanceId})
	d.Members = slices.Delete(d.Members, i, i+1)
	m.ID, m.join, m.sync, m.fresh, m.Client = j.NewMemberID, t, 0, false, j.Client
	m.take(j)
	d.alive(&m, ms(m.SessionTimeoutMs))
	if d.Leader == oldID {
		d.Leader = m.ID
	}
	d.insert(&m)
	switch {
	case d.State == Stable && d.selectProtocol() == d.Protocol:
		d.event("group_static_member", "Static member which joins during Stable stage and doesn't affect the selected protocol "+
			"will not trigger a rebalance.")
		d.topics = d.subscribed()
		d.write()
		r := d.joined(m.ID)
		if j.SkipAssignment {
			r.SkipAssignment = d.Leader == m.ID
		} else {
			// An older client that leads would assign anew; the old leader's id keeps it from thinking that it does.
			r.Leader, r.Members = leader, nil
		}
		d.member(m.ID).join = 0
		d.reply(t, r)
	case d.State == Stable:
		d.rebalance("Group's selectedProtocol will change because static member %s with instance id %s joined with change of "+
			"protocol; client reason: %s", m.ID, *j.InstanceID, reason(j.Reason))
	case d.State == CompletingRebalance:
		// The leader may be assigning to the old id at this moment, and the new one would get nothing.
		d.rebalance("Updating metadata for static member %s with instance id %s; client reason: %s", m.ID, *j.InstanceID, reason(j.Reason))
	default:
		d.maybeCompleteJoin()
	}
}

// selectProtocol lets every member vote for the first of its protocols that all support. The most votes win; among
// equals the leader's order decides, where Kafka leaves it to a hash map.
func (d *Draft) selectProtocol() string {
	supporters, votes := map[string]int{}, map[string]int{}
	for _, m := range d.Members {
		for name := range m.names() {
			supporters[name]++
		}
	}
	for _, m := range d.Members {
		for _, p := range m.Protocols {
			if supporters[p.Name] == len(d.Members) {
				votes[p.Name]++
				break
			}
		}
	}
	best := ""
	for _, p := range d.Member(d.Leader).Protocols {
		if votes[p.Name] > votes[best] {
			best = p.Name
		}
	}
	return best
}

func reason(s string) string {
	if s == "" {
		return "not provided"
	}
	return s
}

func name(s *string) string {
	if s == nil {
		return "null"
	}
	return *s
}

func (d *Draft) event(name, format string, args ...any) {
	d.Events = append(d.Events, Event{Name: name, Text: fmt.Sprintf(format, args...)})
}
