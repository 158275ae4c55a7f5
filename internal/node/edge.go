package node

import (
	"net"
	"slices"
	"time"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/listen"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/staterecord"
	"github.com/milena-io/milena/internal/wire"
)

// edge is where others come in. Clients have a door that serves when the broker does; controllers, and whoever talks to them, have
// one that serves from the start to the very end: without it there would be no quorum to register with.
type edge struct {
	clients     door
	controllers door
	endpoints   []staterecord.Endpoint // of clients' listeners, as advertised
	voter       []record.Endpoint      // of controllers' listeners, as voters are told
	budget      *wire.Budget           // of requests, answers and fetch sessions
}

// bind takes the addresses.
func (e *edge) bind(n *Node) error {
	l := &n.settings.node.Listeners
	if err := e.clients.bind(n, l.Bind); err != nil {
		e.unbind()
		return err
	}
	if err := e.controllers.bind(n, l.Controller); err != nil {
		e.unbind()
		return err
	}
	for _, b := range l.Bind {
		at := l.Advertised[b.Name]
		e.endpoints = append(e.endpoints, staterecord.Endpoint{
			Name: b.Name, Host: at.Host, Port: e.clients.port(b.Name, at.Port), SecurityProtocol: staterecord.Plaintext,
		})
	}
	for _, b := range l.Controller {
		at := l.Advertised[b.Name]
		e.voter = append(e.voter, record.Endpoint{Name: b.Name, Host: at.Host, Port: e.controllers.port(b.Name, at.Port)})
	}
	if len(e.voter) == 0 {
		// A lone node talks to its controller in the process; KRAFT_VOTERS wants an endpoint all the same.
		e.voter = append(e.voter, record.Endpoint{Name: "CONTROLLER", Host: "localhost", Port: 0})
	}
	return nil
}

// ofControllers is controllers' listeners, as registrations tell them; none where a lone node has none.
func (e *edge) ofControllers() (out []staterecord.Endpoint) {
	for _, v := range e.voter {
		if v.Port != 0 {
			out = append(out, staterecord.Endpoint{Name: v.Name, Host: v.Host, Port: v.Port, SecurityProtocol: staterecord.Plaintext})
		}
	}
	return out
}

// open opens both doors, and has that of the controllers serve.
func (e *edge) open(n *Node) error {
	if err := e.clients.open(n); err != nil {
		return err
	}
	if err := e.controllers.open(n); err != nil {
		return err
	}
	return e.controllers.serve(n)
}

// unbind gives the addresses of a node back that never opened.
func (e *edge) unbind() {
	e.clients.unbind()
	e.controllers.unbind()
}

// assemble makes what the sessions share, and what each door offers.
func (e *edge) assemble(n *Node) {
	v := n.o.Values
	limits := listen.DefaultLimits()
	limits.Bytes = v.Int("milena.connection.inflight.max.bytes")
	pool, log := wire.NewPool(e.budget, false), listen.NewRateLimited(n.log("kafka.network"), n.o.World, time.Second)
	for _, d := range []struct {
		*door
		handlers map[kafka.APIKey]wire.Handler
	}{{&e.clients, n.forClients()}, {&e.controllers, n.forControllers()}} {
		table := wire.NewTable(d.handlers)
		d.sessions = &listen.Config{
			Table: table, Pool: pool, Budget: e.budget, Limits: limits, MaxRequestBytes: int32(v.Int("socket.request.max.bytes")),
			Observer: n.o.Observer, Log: log, Parks: d.porch.parks,
		}
		d.dispatch = table.Handle
	}
	table := e.clients.sessions.Table
	e.clients.dispatch = func(r *wire.Request) {
		if table.Forwards(r.Key) && n.areas.configs.Forward(r, n.control.Forward) {
			return
		}
		table.Handle(r)
	}
}

// of is the door that a listener belongs to.
func (e *edge) of(listener string) *door {
	if slices.ContainsFunc(e.controllers.listeners, func(l config.Listener) bool { return l.Name == listener }) {
		return &e.controllers
	}
	return &e.clients
}

// limit takes changed limits on connections.
func (e *edge) limit(l listen.ConnectionLimits) {
	for _, d := range []*door{&e.clients, &e.controllers} {
		if s := d.running(); s != nil {
			s.SetLimits(l)
		}
	}
}

// Addr returns the address that a listener is bound to, for port 0; nil for an unknown name.
func (n *Node) Addr(listener string) net.Addr { return n.edge.of(listener).addr(listener) }

// Endpoints lists what the node advertises to clients.
func (n *Node) Endpoints() []staterecord.Endpoint { return n.edge.endpoints }

// Table returns what a listener offers.
func (n *Node) Table(listener string) *wire.Table { return n.edge.of(listener).sessions.Table }

// OfControllers reports whether a listener is one of controllers.
func (n *Node) OfControllers(listener string) bool { return n.edge.of(listener) == &n.edge.controllers }

// Connect opens a connection without a socket; receive is handed what the client gets. It is for worlds of one goroutine.
func (n *Node) Connect(peer wire.Peer, receive func([]byte)) *listen.Link {
	d := n.edge.of(peer.Listener)
	return listen.Connect(d.sessions, n.o.World, peer, d.take, receive)
}

// Connections returns how many connections are open.
func (n *Node) Connections() (count int) {
	for _, d := range []*door{&n.edge.clients, &n.edge.controllers} {
		if s := d.running(); s != nil {
			count += s.Connections()
		}
	}
	return count
}

// silent is the observer of a node that nobody watches.
type silent struct{}

func (silent) Opened(wire.Peer)                 {}
func (silent) Closed(wire.Peer, string)         {}
func (silent) Refused(wire.Peer, string)        {}
func (silent) Received(wire.Peer, int)          {}
func (silent) Sent(wire.Peer, int)              {}
func (silent) Done(*wire.Request, int64, int64) {}
