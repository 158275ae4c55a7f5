package classic

import (
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/mutant"
)

// Heartbeat is a Heartbeat request.
type Heartbeat struct {
	Group      string
	MemberID   string
	InstanceID *string
	Generation int32
}

// HeartbeatReply is the answer to a Heartbeat.
type HeartbeatReply struct{ Err kafka.ErrorCode }

// Heartbeat decides a Heartbeat. The member is nil unless its session is to be moved.
func (g *Group) Heartbeat(h *Heartbeat) (*Member, kafka.ErrorCode) {
	if code := g.validate(h.MemberID, h.InstanceID); code != kafka.ErrNone {
		return nil, code
	}
	if h.Generation != g.Generation {
		return nil, kafka.ErrIllegalGeneration
	}
	if g.State == PreparingRebalance {
		return g.Member(h.MemberID), kafka.ErrRebalanceInProgress
	}
	return g.Member(h.MemberID), kafka.ErrNone
}

// ValidateCommit decides who may commit offsets (OffsetCommit, and TxnOffsetCommit when transactional). The member is
// nil when nobody's session is to be moved.
func (g *Group) ValidateCommit(id string, instance *string, generation int32, transactional bool) (*Member, kafka.ErrorCode) {
	if generation < 0 && g.State == Empty {
		// An administrator, or a consumer that assigns itself: allowed while nobody else is in the group.
		return nil, kafka.ErrNone
	}
	if generation >= 0 || id != "" || instance != nil {
		if code := g.validate(id, instance); code != kafka.ErrNone {
			return nil, code
		}
		if generation != g.Generation && !mutant.On(mutant.ZombieCommit) {
			return nil, kafka.ErrIllegalGeneration
		}
	} else if !transactional && g.State != Empty {
		return nil, kafka.ErrUnknownMemberId
	}
	if transactional {
		return nil, kafka.ErrNone
	}
	if g.State == CompletingRebalance {
		// The member knows the generation but not its assignment, so the commit may be for what it no longer owns.
		return nil, kafka.ErrRebalanceInProgress
	}
	return g.Member(id), kafka.ErrNone
}
