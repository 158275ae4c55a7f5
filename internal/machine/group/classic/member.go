package classic

import (
	"bytes"
	"slices"
	"time"
)

// Client is who a member is, for people who describe the group.
type Client struct {
	ID   string
	Host string // Kafka prints "/" and the address
}

// Protocol is one way of assigning that a member supports, with the metadata it would be given.
type Protocol struct {
	Name     string
	Metadata []byte
}

// Member is one member of a group. Only its session changes in place.
type Member struct {
	ID                 string
	InstanceID         *string // of a static member (KIP-345)
	Client             Client
	RebalanceTimeoutMs int32
	SessionTimeoutMs   int32
	Protocols          []Protocol // in order of preference
	Assignment         []byte

	join    Token // a JoinGroup that waits for the join phase to end
	sync    Token // a SyncGroup that waits for the leader's assignment
	fresh   bool  // has never been through a join phase
	syncing bool  // has been told of the generation and not asked for its assignment
	session *session
}

// session is the moment (Mono) when the member counts as failed.
type session struct{ until time.Duration }

// Touch is a heartbeat to be applied: the member is alive until a moment.
type Touch struct {
	session *session
	until   time.Duration
}

// Apply moves the session.
func (t Touch) Apply() { t.session.until = max(t.session.until, t.until) }

// Alive returns the touch of a sign of life at now.
func (m *Member) Alive(now time.Duration) Touch {
	return Touch{session: m.session, until: now + ms(m.SessionTimeoutMs)}
}

// excused reports whether the member need not send heartbeats: it waits for us. A fresh one may have given up and can
// still expire.
func (m *Member) excused() bool { return !m.fresh && (m.join != 0 || m.sync != 0) }

// Metadata returns what the member sent for a protocol, empty when it does not support it.
func (m *Member) Metadata(protocol string) []byte {
	for _, p := range m.Protocols {
		if p.Name == protocol {
			return p.Metadata
		}
	}
	return nil
}

// names are the protocols that the member supports; a client may name one twice.
func (m *Member) names() map[string]struct{} {
	set := make(map[string]struct{}, len(m.Protocols))
	for _, p := range m.Protocols {
		set[p.Name] = struct{}{}
	}
	return set
}

func (m *Member) supports(protocol string) bool {
	return slices.ContainsFunc(m.Protocols, func(p Protocol) bool { return p.Name == protocol })
}

// sameProtocols reports whether a rejoin brings nothing new.
func (m *Member) sameProtocols(ps []Protocol) bool {
	return slices.EqualFunc(m.Protocols, ps, func(a, b Protocol) bool {
		return a.Name == b.Name && bytes.Equal(a.Metadata, b.Metadata)
	})
}

func ms(n int32) time.Duration { return time.Duration(n) * time.Millisecond }
