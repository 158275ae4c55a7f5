package node

import (
	"bytes"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/peer"
	"github.com/milena-io/milena/internal/quorum"
	"github.com/milena-io/milena/internal/wire"
)

// mail carries what voters tell each other: Raft's messages, and greetings before there is a quorum.
type mail struct {
	seat *seat

	mu       sync.Mutex
	channels map[string]*peer.Channel
	waiting  map[string]int                 // messages that were not answered, by address
	heard    map[string]kafka.IncarnationID // the process that answered last, by address
	closed   bool
}

const (
	// mailTimeout is how long a message is good for: Raft says everything again.
	mailTimeout = time.Second
	// mostWaiting is how many messages may wait for one voter's answers: what is more is lost, as Raft allows.
	mostWaiting = 256
)

// channel returns the connection to an address, nil when the node ends.
func (m *mail) channel(addr string) *peer.Channel {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil
	}
	if m.channels == nil {
		m.channels, m.waiting, m.heard = map[string]*peer.Channel{}, map[string]int{}, map[string]kafka.IncarnationID{}
	}
	c := m.channels[addr]
	if c == nil {
		c = m.seat.n.replicas.others.peers.Channel(addr, func(peer.Ending) { m.seat.doubt(addr) })
		m.channels[addr] = c
	}
	return c
}

func address(v quorum.Voter) string {
	if len(v.Endpoints) == 0 {
		return ""
	}
	e := v.Endpoints[0]
	return net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port)))
}

// send carries a message of Raft's; it may be lost.
func (m *mail) send(to quorum.Voter, msg []byte) {
	addr := address(to)
	c := m.channel(addr)
	if c == nil || addr == "" {
		return
	}
	m.mu.Lock()
	full := m.waiting[addr] >= mostWaiting
	if !full {
		m.waiting[addr]++
	}
	m.mu.Unlock()
	if full {
		return
	}
	n := m.seat.n
	call := &wire.NodeCall{
		ClusterID: n.ClusterID(), From: n.member(), To: wire.Member{Node: to.ID, Directory: to.Directory}, Messages: [][]byte{msg},
	}
	c.Tell(call, mailTimeout, func(a wire.NodeAnswer, err error) {
		m.mu.Lock()
		m.waiting[addr]--
		if err == nil {
			m.heard[addr] = a.Incarnation
		}
		m.mu.Unlock()
	})
}

// whoWas is the process that answered last at an address; zero for none.
func (m *mail) whoWas(addr string) kafka.IncarnationID {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.heard[addr]
}

// take hands Raft's messages to the quorum.
func (m *mail) take(from wire.Member, r *wire.NodeRequest) {
	q := m.seat.own()
	if q == nil {
		return // it is not formed here yet; Raft says it again
	}
	env := quorum.Envelope{
		Cluster: string(r.ClusterID), From: quorum.Key{NodeID: from.Node, DirectoryID: from.Directory},
		To: quorum.Key{NodeID: r.To.Node, DirectoryID: r.To.Directory},
	}
	for msg := range r.All {
		if err := q.Receive(env, bytes.Clone(msg)); err != nil {
			m.seat.n.log("kafka.raft").Debug("A message of another voter was refused.", "from", int32(from.Node), "error", err)
		}
	}
}

// greet carries a greeting and its answer.
func (m *mail) greet(to quorum.Voter, msg []byte, done func(answer []byte, err error)) {
	c := m.channel(address(to))
	if c == nil {
		m.seat.n.o.World.Go(func() { done(nil, fault.Shutdown("quorum.form")) })
		return
	}
	n := m.seat.n
	call := &wire.NodeCall{From: n.member(), To: wire.Member{Node: kafka.NoNode}, Greeting: string(msg)}
	c.Tell(call, mailTimeout, func(a wire.NodeAnswer, err error) { done([]byte(a.Greeting), err) })
}

func (m *mail) close() {
	m.mu.Lock()
	m.closed = true
	all := m.channels
	m.mu.Unlock()
	for _, addr := range slices.Sorted(maps.Keys(all)) {
		all[addr].Close()
	}
}

// member is this node among voters.
func (n *Node) member() wire.Member {
	return wire.Member{Node: n.settings.NodeID(), Directory: n.storage.Metadata.ID()}
}

// identity is who this process is.
func (n *Node) identity() wire.Identity {
	return wire.Identity{
		ClusterID: n.ClusterID(), Member: n.member(), Incarnation: n.session.incarnation, StartedMs: n.life.startedMs,
	}
}
