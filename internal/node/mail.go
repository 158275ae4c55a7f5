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
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/wire"
)

// mail carries what voters tell each other: Raft's messages, and greetings before there is a quorum.
type mail struct {
	seat *seat

	mu       sync.Mutex
	channels map[string]*peer.Channel
	waiting  map[string]int                 // messages that were not answered, by address
	heard    map[string]kafka.IncarnationID // the process that answered last, by address
	told     map[string]string              // the last refusal of each address, which is told once
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
		m.channels, m.waiting = map[string]*peer.Channel{}, map[string]int{}
		m.heard, m.told = map[string]kafka.IncarnationID{}, map[string]string{}
	}
	c := m.channels[addr]
	if c == nil {
		c = m.seat.n.replicas.others.peers.Channel(addr, func(peer.Ending) { m.seat.doubt(addr) })
		m.channels[addr] = c
	}
	return c
}

// address is where a voter listens for controllers. One that the log does not name yet has registered, or stands in the configuration.
func (m *mail) address(v quorum.Voter) string {
	if len(v.Endpoints) == 0 {
		where := m.seat.where()
		return where.Of(v.ID)
	}
	e := v.Endpoints[0]
	for _, named := range v.Endpoints {
		if named.Name == m.seat.n.settings.controllerListener() {
			e = named
			break
		}
	}
	return net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port)))
}

// located is a voter with where it listens, also one that the log does not name yet.
func (m *mail) located(v quorum.Voter) quorum.Voter {
	if len(v.Endpoints) > 0 {
		return v
	}
	host, port, err := net.SplitHostPort(m.address(v))
	if p, bad := strconv.ParseUint(port, 10, 16); err == nil && bad == nil {
		v.Endpoints = []record.Endpoint{{Host: host, Port: uint16(p)}}
	}
	return v
}

// send carries a message of Raft's; it may be lost.
func (m *mail) send(to quorum.Voter, msg []byte) {
	addr := m.address(to)
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
	n, q := m.seat.n, m.seat.own()
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
		m.refused(addr, err)
		// A refusal that comes after this node was made a voter once more is no word about it.
		if fault.CodeOf(err) == kafka.ErrVoterNotFound && quorum.AsksForVote(msg) && m.seat.own() == q {
			n.o.World.Go(m.seat.unseated) // it was removed and did not hear of it: it looks at the leader's log as an observer
		}
	})
}

// whoWas is the process that answered last at an address; zero for none.
func (m *mail) whoWas(addr string) kafka.IncarnationID {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.heard[addr]
}

// refused tells what another node refuses, each reason once.
func (m *mail) refused(addr string, err error) {
	switch fault.CodeOf(err) {
	case kafka.ErrInconsistentClusterId, kafka.ErrInvalidVoterKey, kafka.ErrDuplicateVoter, kafka.ErrDuplicateBrokerRegistration,
		kafka.ErrInconsistentVoterSet, kafka.ErrVoterNotFound, kafka.ErrUnsupportedVersion:
	default:
		return
	}
	why := err.Error()
	m.mu.Lock()
	again := m.told[addr] == why || m.closed
	if !again && m.told != nil {
		m.told[addr] = why
	}
	m.mu.Unlock()
	if !again {
		m.seat.n.log("kafka.raft").Warn("Another node refuses what this one says.", "at", addr, "error", err)
	}
}

// take hands Raft's messages to the quorum. Who observes and is asked for its vote is a voter by what was committed since, and becomes
// one; but by its own log and a leader that it hears of it knows better than a candidate that was removed.
func (m *mail) take(from wire.Member, r *wire.NodeRequest) error {
	at := m.seat.at()
	env := quorum.Envelope{
		Cluster: string(r.ClusterID), From: quorum.Key{NodeID: from.Node, DirectoryID: from.Directory},
		To: quorum.Key{NodeID: r.To.Node, DirectoryID: r.To.Directory},
	}
	for msg := range r.All {
		var err error
		switch {
		case at.quorum != nil:
			err = at.quorum.Receive(env, bytes.Clone(msg))
		case at.observer != nil && env.To == m.seat.n.key():
			var votes bool
			if votes, err = at.observer.Judge(env.From, msg); votes {
				m.seat.n.o.World.Go(m.seat.seated)
			}
		}
		if err != nil {
			m.seat.n.log("kafka.raft").Debug("A message of another voter was refused.", "from", int32(from.Node), "error", err)
			return err
		}
	}
	return nil
}

// greet carries a greeting and its answer.
func (m *mail) greet(to quorum.Voter, msg []byte, done func(answer []byte, err error)) {
	addr := m.address(to)
	c := m.channel(addr)
	if c == nil {
		m.seat.n.o.World.Go(func() { done(nil, fault.Shutdown("quorum.form")) })
		return
	}
	n := m.seat.n
	call := &wire.NodeCall{From: n.member(), To: wire.Member{Node: kafka.NoNode}, Greeting: string(msg)}
	c.Tell(call, mailTimeout, func(a wire.NodeAnswer, err error) {
		m.refused(addr, err)
		done([]byte(a.Greeting), err)
	})
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
