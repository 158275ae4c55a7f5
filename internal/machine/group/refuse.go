package group

import (
	"slices"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group/classic"
	rec "github.com/milena-io/milena/internal/staterecord/group"
)

// Refuse returns the reply to a command that no state could make right, or nil: whoever is asked gives it, coordinator of
// the group or not. Strings that do not fit a record are refused here, too. An empty group id is Kafka's own past: it can
// hold offsets, and nothing else.
func (c *Config) Refuse(cmd Command) any {
	switch cmd := cmd.(type) {
	case *classic.Join:
		if code := c.refuseJoin(cmd); code != kafka.ErrNone {
			return classic.JoinReply{Err: code, Generation: -1, MemberID: cmd.MemberID}
		}
	case *classic.Sync:
		if cmd.Group == "" {
			return classic.SyncReply{Err: kafka.ErrInvalidGroupId}
		}
	case *classic.Heartbeat:
		if cmd.Group == "" {
			return classic.HeartbeatReply{Err: kafka.ErrInvalidGroupId}
		}
	case *classic.Leave:
		if cmd.Group == "" {
			return classic.LeaveReply{Err: kafka.ErrInvalidGroupId}
		}
	case *Commit:
		if tooLong(cmd.Group) {
			return CommitReply{Err: kafka.ErrInvalidGroupId}
		}
	case *DeleteOffsets:
		if cmd.Group == "" {
			return DeleteOffsetsReply{Err: kafka.ErrInvalidGroupId}
		}
	}
	return nil
}

func (c *Config) refuseJoin(j *classic.Join) kafka.ErrorCode {
	switch {
	case j.Group == "" || tooLong(j.Group):
		return kafka.ErrInvalidGroupId
	case j.SessionTimeoutMs < c.Classic.MinSessionTimeoutMs || j.SessionTimeoutMs > c.Classic.MaxSessionTimeoutMs:
		return kafka.ErrInvalidSessionTimeout
	case tooLong(j.MemberID, j.NewMemberID, j.Client.ID, j.ProtocolType):
		return kafka.ErrInvalidRequest
	case j.InstanceID != nil && tooLong(*j.InstanceID):
		return kafka.ErrInvalidRequest
	case slices.ContainsFunc(j.Protocols, func(p classic.Protocol) bool { return tooLong(p.Name) }):
		return kafka.ErrInvalidRequest
	}
	return kafka.ErrNone
}

func tooLong(strings ...string) bool {
	return slices.ContainsFunc(strings, func(s string) bool { return len(s) > rec.MaxString })
}
