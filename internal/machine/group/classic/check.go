package classic

import (
	"slices"
	"strings"
)

// Check returns which invariant of the package does not hold, or nothing. Tests and simulations ask.
func (g *Group) Check() string {
	switch {
	case !slices.IsSortedFunc(g.Members, func(a, b *Member) int { return strings.Compare(a.ID, b.ID) }):
		return "members are out of order"
	case (g.State == Empty) != (len(g.Members) == 0) && g.State != PreparingRebalance:
		return "state " + g.State.String() + " does not fit its members"
	case g.Leader != "" && g.Member(g.Leader) == nil, g.Leader == "" && len(g.Members) > 0:
		return "the leader " + g.Leader + " is no member"
	case g.State == Stable && g.Protocol == "", g.State == CompletingRebalance && g.Protocol == "":
		return "no protocol is selected"
	case (g.State == PreparingRebalance) != (g.round.joinAt > 0):
		return "a join phase without an end, or the other way round"
	}
	instances := map[string]string{}
	for _, m := range g.Members {
		switch {
		case m.InstanceID != nil && instances[*m.InstanceID] != "":
			return m.ID + " has the instance of " + instances[*m.InstanceID]
		case m.join != 0 && g.State != PreparingRebalance:
			return m.ID + " waits to join in state " + g.State.String()
		case m.sync != 0 && g.State != CompletingRebalance:
			return m.ID + " waits for an assignment in state " + g.State.String()
		case m.session.until == 0:
			return m.ID + " has no session"
		case g.pending(m.ID) >= 0:
			return m.ID + " is a member and about to become one"
		}
		if m.InstanceID != nil {
			instances[*m.InstanceID] = m.ID
		}
	}
	return ""
}
