package classic

import (
	"strings"

	"github.com/milena-io/milena/internal/kafka"
)

// Leave is a LeaveGroup request: one member, or several that an administrator removes (KIP-345).
type Leave struct {
	Group   string
	Members []Leaving
}

// Leaving names a member by id, or a static one by instance id alone.
type Leaving struct {
	MemberID   string
	InstanceID *string
	Reason     string
}

// LeaveReply is the answer to a Leave, a code for each member in the order asked.
type LeaveReply struct {
	Err     kafka.ErrorCode
	Members []LeftMember
}

// LeftMember is one member's part of a LeaveReply.
type LeftMember struct {
	Leaving
	Err kafka.ErrorCode
}

// Leave decides a LeaveGroup.
func (d *Draft) Leave(t Token, l *Leave) {
	r := LeaveReply{Members: make([]LeftMember, 0, len(l.Members))}
	var left []string
	for _, who := range l.Members {
		code := d.leave(who)
		if code == kafka.ErrNone {
			left = append(left, who.MemberID)
		}
		r.Members = append(r.Members, LeftMember{Leaving: who, Err: code})
	}
	if len(left) > 0 {
		switch d.State {
		case Stable, CompletingRebalance:
			d.rebalance("explicit `LeaveGroup` request for (%s) members.", strings.Join(left, ", "))
		case PreparingRebalance:
			d.maybeCompleteJoin()
		}
	}
	d.reply(t, r)
}

func (d *Draft) leave(who Leaving) kafka.ErrorCode {
	id := who.MemberID
	switch {
	case id == "":
		if who.InstanceID == nil {
			return kafka.ErrUnknownMemberId
		}
		m := d.static(*who.InstanceID)
		if m == nil {
			return kafka.ErrUnknownMemberId
		}
		id = m.ID
	case d.pending(id) >= 0:
		d.event("group_member_left", "[Group %s] Pending member %s has left group through explicit `LeaveGroup` request; client reason: %s",
			d.ID, id, reason(who.Reason))
		d.remove(id, kafka.ErrUnknownMemberId)
		return kafka.ErrNone
	default:
		if code := d.validate(id, who.InstanceID); code != kafka.ErrNone {
			return code
		}
	}
	d.event("group_member_left", "[Group %s] Member %s has left group through explicit `LeaveGroup` request; client reason: %s",
		d.ID, id, reason(who.Reason))
	d.remove(id, kafka.ErrUnknownMemberId)
	return kafka.ErrNone
}
