package node

import (
	"context"
	"fmt"
	"math"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/listen"
	"github.com/milena-io/milena/internal/staterecord"
	"github.com/milena-io/milena/internal/wire"
)

// edge is where clients come in. The sockets are bound before anything else is known about ports, since the broker
// registers with them, and accept only when the broker serves.
type edge struct {
	listeners config.Listeners
	bound     map[string]net.Listener // by listener name; empty without sockets
	endpoints []staterecord.Endpoint  // as advertised
	table     *wire.Table
	budget    *wire.Budget // of requests, answers and fetch sessions
	sessions  listen.Config

	mu     sync.Mutex
	server *listen.Server // nil until open
	closed bool           // never to be opened any more
}

func (e *edge) running() *listen.Server {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.server
}

// bind takes the addresses. A port that is taken is told with what to do about it.
func (e *edge) bind(n *Node) error {
	var err error
	if e.listeners, err = config.ParseListeners(n.o.Values); err != nil {
		return fault.New("node.listeners", kafka.ErrInvalidConfig, "%v", err)
	}
	e.bound = map[string]net.Listener{}
	for _, l := range e.listeners.Bind {
		at := e.listeners.Advertised[l.Name]
		if n.o.Listen != nil {
			addr := net.JoinHostPort(l.Host, strconv.Itoa(l.Port))
			b, err := n.o.Listen("tcp", addr)
			if err != nil {
				e.unbind()
				return fmt.Errorf("listener %s cannot bind %s: %w; free the port or choose another with --override listeners=%s://HOST:PORT", l.Name, addr, err, l.Name)
			}
			e.bound[l.Name] = b
			if tcp, ok := b.Addr().(*net.TCPAddr); ok && at.Port == 0 {
				at.Port = tcp.Port
			}
		}
		e.endpoints = append(e.endpoints, staterecord.Endpoint{
			Name: l.Name, Host: at.Host, Port: uint16(at.Port), SecurityProtocol: staterecord.Plaintext,
		})
	}
	return nil
}

// unbind gives the addresses of a node back that never opened.
func (e *edge) unbind() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	for _, l := range e.bound {
		_ = l.Close()
	}
	e.bound = nil
}

// assemble makes what the sessions of all listeners share.
func (e *edge) assemble(n *Node) {
	e.table = wire.NewTable(n.handlers())
	v := n.o.Values
	limits := listen.DefaultLimits()
	limits.Bytes = v.Int("milena.connection.inflight.max.bytes")
	e.sessions = listen.Config{
		Table: e.table, Pool: wire.NewPool(e.budget, false), Budget: e.budget, Limits: limits,
		MaxRequestBytes: int32(v.Int("socket.request.max.bytes")), Observer: n.o.Observer,
		Log: listen.NewRateLimited(n.log("kafka.network"), n.o.World, time.Second),
	}
}

// open begins to accept.
func (e *edge) open(n *Node) error {
	if n.o.Listen == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return fault.Shutdown("node.listeners")
	}
	v, bound := n.o.Values, e.bound
	idle := v.Millis("connections.max.idle.ms")
	if idle < 0 {
		idle = math.MaxInt64 // never, as in Apache Kafka
	}
	o := listen.Options{
		World: n.o.World, Log: e.sessions.Log, Observer: n.o.Observer, Limits: n.settings.connectionLimits(n.feed.Image()),
		Idle: idle, Stuck: idle, Slow: 30 * time.Second,
		SendBuffer: int(v.Int("socket.send.buffer.bytes")),
		Listen:     func(_, name string) (net.Listener, error) { return bound[name], nil },
	}
	for _, l := range e.listeners.Bind {
		o.Listeners = append(o.Listeners, listen.Listener{
			Name: l.Name, Protocol: l.Protocol, Addr: l.Name, Sessions: &e.sessions, Dispatch: e.table.Handle,
		})
	}
	var err error
	e.server, err = listen.Start(o)
	return err
}

// limit takes changed limits on connections.
func (e *edge) limit(l listen.ConnectionLimits) {
	if s := e.running(); s != nil {
		s.SetLimits(l)
	}
}

// close stops accepting, lets every connection finish what is under way, and closes it.
func (e *edge) close(within time.Duration) {
	e.mu.Lock()
	e.closed = true
	server := e.server
	e.mu.Unlock()
	if server == nil {
		e.unbind()
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	_ = server.Shutdown(ctx) // who is not done by then is cut
}

// Addr returns the address that a listener is bound to, for port 0; nil for an unknown name.
func (n *Node) Addr(listener string) net.Addr {
	n.edge.mu.Lock()
	defer n.edge.mu.Unlock()
	if l := n.edge.bound[listener]; l != nil {
		return l.Addr()
	}
	return nil
}

// Endpoints lists what the node advertises.
func (n *Node) Endpoints() []staterecord.Endpoint { return n.edge.endpoints }

// Table returns what a listener offers.
func (n *Node) Table(string) *wire.Table { return n.edge.table }

// Connect opens a connection without a socket; receive is handed what the client gets. It is for worlds of one goroutine.
func (n *Node) Connect(peer wire.Peer, receive func([]byte)) *listen.Link {
	return listen.Connect(&n.edge.sessions, n.o.World, peer, n.edge.table.Handle, receive)
}

// Connections returns how many connections are open.
func (n *Node) Connections() int {
	if s := n.edge.running(); s != nil {
		return s.Connections()
	}
	return 0
}

// silent is the observer of a node that nobody watches.
type silent struct{}

func (silent) Opened(wire.Peer)                 {}
func (silent) Closed(wire.Peer, string)         {}
func (silent) Refused(wire.Peer, string)        {}
func (silent) Received(wire.Peer, int)          {}
func (silent) Sent(wire.Peer, int)              {}
func (silent) Done(*wire.Request, int64, int64) {}
