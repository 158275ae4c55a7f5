package network

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/milena-io/milena/internal/peer"
	"github.com/milena-io/milena/internal/wire"
)

// What ends a connection, as the side hears it that did not end it.
var (
	errReset  = errors.New("connection reset by peer")
	errClosed = errors.New("the other side closed the connection")
)

// conn is one connection, of two ends.
type conn struct{ client, server *end }

// end is one end of a connection: what its machine knows of it, and the bytes on their way to the other end.
type end struct {
	n     *Network
	host  *host
	other *end
	gone  bool     // the machine knows of no such connection, or not any more
	out   []packet // sent and not delivered, in order
	heard func(packet)
}

// packet is what goes over a link: bytes, the answer to a connection that is to be opened, or an end.
type packet struct {
	data   []byte
	opened bool
	end    error
}

// send puts a packet on its way. It also serves a machine that resets what it doesn't know.
func (e *end) send(p packet) {
	e.out = append(e.out, p)
	e.n.carry(e.host, e.other.host, e.deliver)
}

// carry runs f when something sent now arrives. What a cut link or a dead machine doesn't let through waits for it.
func (n *Network) carry(from, to *host, f func()) {
	l := n.link(from.name, to.name)
	var arrive func()
	arrive = func() {
		switch {
		case l.cut:
			l.held = append(l.held, arrive)
		case to.down, to.stopped:
			to.held = append(to.held, arrive)
		default:
			f()
		}
	}
	n.w.After(n.draw(l.delay), arrive)
}

func (n *Network) draw(d Delay) time.Duration {
	if d.TailOneIn > 0 && n.rng.IntN(d.TailOneIn) == 0 {
		return d.Tail
	}
	return d.Least + time.Duration(n.rng.Int64N(int64(max(d.Most-d.Least, 0))+1))
}

// deliver hands the oldest packet to the other end; so the order holds whatever the delays are.
func (e *end) deliver() {
	if len(e.out) == 0 {
		return // the machine that sent it lost its power before it went out
	}
	p := e.out[0]
	e.out = slices.Delete(e.out, 0, 1)
	o := e.other
	switch {
	case o.gone && p.end == nil:
		o.send(packet{end: errReset})
	case o.gone:
	case p.end != nil:
		o.lose(p.end)
	default:
		o.heard(p)
	}
}

// lose tells whoever has this end that the connection is no more.
func (e *end) lose(err error) {
	if !e.gone {
		e.gone = true
		e.heard(packet{end: err})
	}
}

// dialer opens connections from one host.
type dialer struct {
	n    *Network
	from *host
}

// Dialer returns what a node's process on a host opens its connections with.
func (n *Network) Dialer(from string) peer.Dialer { return &dialer{n: n, from: n.host(from)} }

// Dial implements peer.Dialer.
func (d *dialer) Dial(addr string, to peer.Sink) peer.Conn {
	n := d.n
	n.ports = max(n.ports+1, 32768)
	c := &conn{client: &end{n: n, host: d.from}, server: &end{n: n, host: n.host(hostOf(addr)), gone: true}}
	c.client.other, c.server.other = c.server, c.client
	s := &socket{end: c.client, to: to}
	c.client.heard = s.heard
	n.conns = append(n.conns, c)
	remote := netip.AddrPortFrom(d.from.ip, n.ports)
	n.carry(d.from, c.server.host, func() { c.open(addr, remote) })
	return s
}

// open is the server's machine hearing of a connection.
func (c *conn) open(addr string, remote netip.AddrPort) {
	s := c.server
	accept := s.host.listeners[addr]
	if accept == nil {
		s.send(packet{end: fmt.Errorf("dial %s: %w", addr, errRefused)})
		return
	}
	s.gone = false
	s.send(packet{opened: true})
	var served Served
	s.heard = func(p packet) {
		if p.end != nil {
			served.Cut()
			return
		}
		served.Send(p.data)
	}
	served = accept(remote, func(b []byte) {
		switch {
		case s.gone:
		case b == nil:
			s.gone = true
			s.send(packet{end: errClosed})
		default:
			s.pieces(b)
		}
	})
}

var errRefused = errors.New("connection refused")

// pieces sends bytes, now and then cut in two somewhere: a stream has no seams.
func (e *end) pieces(b []byte) {
	if len(b) > 1 && e.n.rng.IntN(4) == 0 {
		at := 1 + e.n.rng.IntN(len(b)-1)
		e.send(packet{data: b[:at]})
		b = b[at:]
	}
	e.send(packet{data: b})
}

// socket is the client's end, a peer.Conn.
type socket struct {
	*end
	to      peer.Sink
	opened  bool
	ended   bool
	written int64
	in      []byte // arrived and not taken for want of memory
	waking  bool
}

func (s *socket) heard(p packet) {
	switch {
	case p.opened:
		s.opened = true
		s.to.Opened()
	case p.end != nil:
		how := peer.Broken
		if errors.Is(p.end, errRefused) {
			how = peer.Refused
		}
		s.finish(peer.Ending{How: how, Err: p.end})
	default:
		s.in = append(s.in, p.data...)
		s.drain()
	}
}

// drain hands the sink what it takes.
func (s *socket) drain() {
	for len(s.in) > 0 && !s.gone {
		if s.to.Starved(s.wake) {
			return
		}
		n := copy(s.to.Space(), s.in)
		s.in = s.in[n:]
		s.to.Filled(n)
	}
}

func (s *socket) wake() {
	if !s.waking {
		s.waking = true
		s.n.w.After(0, func() {
			s.waking = false
			s.drain()
		})
	}
}

func (s *socket) finish(e peer.Ending) {
	if !s.ended {
		s.ended = true
		s.to.Ended(e)
	}
}

// Send implements peer.Conn.
func (s *socket) Send(b *wire.Buffer) {
	if !s.gone {
		s.written += int64(len(b.B))
		s.pieces(slices.Clone(b.B))
	}
	b.Free()
}

// Written implements peer.Conn.
func (s *socket) Written() int64 { return s.written }

// Close implements peer.Conn.
func (s *socket) Close() {
	if !s.gone {
		s.gone = true
		if s.opened {
			s.send(packet{end: errClosed})
		}
	}
	s.n.w.After(0, func() { s.finish(peer.Ending{How: peer.Closed}) })
}
