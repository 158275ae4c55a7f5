package classic

import (
	"strings"

	"github.com/milena-io/milena/internal/kafka"
)

// Sync is a SyncGroup request.
type Sync struct {
	Group        string
	MemberID     string
	InstanceID   *string
	Generation   int32
	ProtocolType *string // version 5 and up
	Protocol     *string // version 5 and up
	Assignments  []MemberAssignment
}

// MemberAssignment is what the leader assigns to a member.
type MemberAssignment struct {
	MemberID string
	Bytes    []byte
}

// SyncReply is the answer to a Sync.
type SyncReply struct {
	Err          kafka.ErrorCode
	ProtocolType string
	Protocol     string
	Assignment   []byte
}

// Sync decides a SyncGroup. A follower is parked until the leader's comes; the leader's makes the group Stable.
func (d *Draft) Sync(t Token, s *Sync) {
	if code := d.validateSync(s); code != kafka.ErrNone {
		d.reply(t, SyncReply{Err: code})
		return
	}
	m := d.member(s.MemberID)
	switch d.State {
	case PreparingRebalance:
		d.reply(t, SyncReply{Err: kafka.ErrRebalanceInProgress})
	case Stable:
		m.syncing = false
		d.reply(t, d.assigned(m))
		d.syncsSettled()
	case CompletingRebalance:
		d.reply(m.sync, SyncReply{Err: kafka.ErrCoordinatorNotAvailable}) // it asks twice: it gave the first up
		m.sync, m.syncing = t, false
		if m.ID == d.Leader {
			d.assign(s)
		}
		d.syncsSettled()
	default:
		d.reply(t, SyncReply{Err: kafka.ErrUnknownMemberId})
	}
}

func (d *Draft) validateSync(s *Sync) kafka.ErrorCode {
	if code := d.validate(s.MemberID, s.InstanceID); code != kafka.ErrNone {
		return code
	}
	if s.Generation != d.Generation {
		return kafka.ErrIllegalGeneration
	}
	differs := func(given *string, have string) bool { return given != nil && have != "" && *given != have }
	if differs(s.ProtocolType, d.ProtocolType) || differs(s.Protocol, d.Protocol) {
		return kafka.ErrInconsistentGroupProtocol
	}
	return kafka.ErrNone
}

// assign takes the leader's assignment, writes it and answers everybody who waits. Members it left out get nothing.
func (d *Draft) assign(s *Sync) {
	given := make(map[string][]byte, len(s.Assignments))
	for _, a := range s.Assignments {
		given[a.MemberID] = a.Bytes
	}
	d.event("group_assignment", "Assignment received from leader %s for group %s for generation %d. The group has %d members, "+
		"%d of which are static.", s.MemberID, d.ID, d.Generation, len(d.Members), d.statics())
	var without []string
	for _, m := range d.Members {
		b, ok := given[m.ID]
		if !ok {
			without = append(without, m.ID)
		}
		m := d.member(m.ID)
		m.Assignment = b
		if m.sync != 0 {
			d.reply(m.sync, d.assigned(m))
			m.sync = 0
			d.alive(m, ms(m.SessionTimeoutMs))
		}
	}
	if len(without) > 0 {
		d.event("group_assignment_missing", "Setting empty assignments for members [%s] of %s for generation %d.",
			strings.Join(without, ", "), d.ID, d.Generation)
		d.Events[len(d.Events)-1].Warn = true
	}
	d.enter(Stable)
	d.write()
}

func (d *Draft) assigned(m *Member) SyncReply {
	return SyncReply{ProtocolType: d.ProtocolType, Protocol: d.Protocol, Assignment: m.Assignment}
}

func (d *Draft) statics() int {
	n := 0
	for _, m := range d.Members {
		if m.InstanceID != nil {
			n++
		}
	}
	return n
}

// syncsSettled drops the sync timer once every member has asked for its assignment.
func (d *Draft) syncsSettled() {
	for _, m := range d.Members {
		if m.syncing {
			return
		}
	}
	d.round.syncAt = 0
}
