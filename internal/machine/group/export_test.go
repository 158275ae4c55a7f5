package group

import (
	"fmt"
	"strings"

	rec "github.com/milena-io/milena/internal/staterecord/group"
)

// Durable prints what the log must say of the newest state: the groups, and what is promised about them.
func (m *Machine) Durable() string {
	var b strings.Builder
	for _, id := range m.groupIDs() {
		g, _ := m.groups.Get(id)
		if g.Durable != nil {
			fmt.Fprintf(&b, "group %q: %s promised %d\n", id, printValue(g.Durable), g.Promised)
		}
	}
	for _, id := range m.offsets.Groups() {
		for _, p := range m.offsets.Partitions(id, true) {
			c, _ := m.offsets.Newest(id, p)
			fmt.Fprintf(&b, "offset %q %s: %+v at %d\n", id, p, *c.OffsetValue, c.At)
		}
	}
	return b.String()
}

// Check returns what is wrong with the newest state, or nothing.
func (m *Machine) Check() string {
	for _, id := range m.groupIDs() {
		g, _ := m.groups.Get(id)
		if problem := g.Check(); problem != "" {
			return fmt.Sprintf("group %q: %s", id, problem)
		}
	}
	return ""
}

func printValue(v *rec.GroupValue) string {
	s := fmt.Sprintf("%q %d %q %q since %d", v.ProtocolType, v.Generation, v.Protocol, v.Leader, v.StateSinceMs)
	for _, m := range v.Members {
		instance := "-"
		if m.InstanceID != nil {
			instance = *m.InstanceID
		}
		s += fmt.Sprintf(" [%s %s %s %s %d %d %x %x]", m.ID, instance, m.ClientID, m.ClientHost, m.RebalanceTimeoutMs, m.SessionTimeoutMs,
			m.Subscription, m.Assignment)
	}
	return s
}
