package group

import (
	"slices"
	"strings"

	"github.com/milena-io/milena/internal/machine/group/classic"
)

// describe answers from the committed view.
func (m *Machine) describe(c *Describe) Description {
	g, ok := m.groups.Committed(c.Group)
	if !ok {
		if m.offsets.HasCommitted(c.Group) {
			return Description{State: classic.Empty}
		}
		return Description{State: classic.Dead}
	}
	d := Description{State: g.State, ProtocolType: g.ProtocolType}
	if g.State == classic.Stable {
		d.Protocol = g.Protocol
	}
	for _, member := range g.Members {
		md := MemberDescription{ID: member.ID, InstanceID: member.InstanceID, Client: member.Client, Assignment: member.Assignment}
		if g.State == classic.Stable {
			md.Metadata = member.Metadata(g.Protocol)
		}
		d.Members = append(d.Members, md)
	}
	return d
}

// list answers from the committed view.
func (m *Machine) list(c *List) ListReply {
	var r ListReply
	add := func(id, protocolType string, s classic.State) {
		if len(c.States) == 0 || slices.Contains(c.States, strings.ToLower(s.String())) {
			r.Groups = append(r.Groups, Listed{Group: id, ProtocolType: protocolType, State: s})
		}
	}
	m.groups.AllCommitted(func(id string, g *classic.Group) { add(id, g.ProtocolType, g.State) })
	for _, id := range m.offsets.Groups() {
		if _, ok := m.groups.Committed(id); !ok && m.offsets.HasCommitted(id) {
			add(id, "", classic.Empty)
		}
	}
	slices.SortFunc(r.Groups, func(a, b Listed) int { return strings.Compare(a.Group, b.Group) })
	return r
}
