// Package network is TCP between machines that don't exist: connections whose every delivery is an event of one virtual
// world, with the faults that real networks have.
//
// Simulations and tests make a Network, give each node's process a Dialer, and let it Listen with whatever takes a connection in
// memory, listen.Connect above all. Between each two hosts there are two links, one each way, with a delay of their own, and
// either may be cut alone.
//
// What holds is what TCP promises: what one side sends arrives in order, each byte once, or the connection breaks as a
// whole. A cut link loses nothing: the bytes wait and arrive when it heals, as the kernel would send them again; until then
// the other side hears silence. A process that dies leaves a machine that resets its connections and refuses new ones; a
// machine that dies leaves silence, and when it is back it resets what it doesn't know any more. Windows are not modelled: a
// sender never waits.
//
// Everything that happens is drawn from the seed and runs on one goroutine; two runs of one seed are the same.
package network

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/world"
)

// Network is all machines and what lies between them.
type Network struct {
	w     *world.Virtual
	rng   *rand.Rand // its own, so that what others draw doesn't shift it
	hosts map[string]*host
	links map[way]*link
	delay Delay
	ports uint16
	conns []*conn // in the order in which they were opened
}

// Delay is how long bytes take one way: uniformly between the two, and Tail, one time in TailOneIn.
type Delay struct {
	Least, Most time.Duration
	Tail        time.Duration
	TailOneIn   int // 0 for never
}

// LAN is a quiet network of one room.
func LAN() Delay {
	return Delay{Least: 50 * time.Microsecond, Most: 200 * time.Microsecond, Tail: 5 * time.Millisecond, TailOneIn: 1000}
}

// New makes a network without machines.
func New(w *world.Virtual, seed uint64, delay Delay) *Network {
	return &Network{
		w: w, rng: rand.New(rand.NewPCG(seed, 0x6e6574)), hosts: map[string]*host{}, links: map[way]*link{}, delay: delay, ports: 32768,
	}
}

// way is the direction from one host to another.
type way struct{ from, to string }

// link is one way between two hosts.
type link struct {
	delay Delay
	cut   bool
	held  []func() // deliveries that wait for the link to heal, in order
}

// host is a machine.
type host struct {
	name      string
	ip        netip.Addr
	down      bool
	stopped   bool              // its processes stand still, and take nothing
	held      []func()          // deliveries that are sent again until the machine is back
	listeners map[string]Accept // by address
}

// Served is the server's end of a connection, such as a *listen.Link.
type Served interface {
	// Send hands it what the client sent.
	Send(b []byte)
	// Cut tells it that the connection is gone.
	Cut()
}

// Accept takes a connection. The server hands what it sends to receive, which copies nothing, and nil when it closes the
// connection.
type Accept func(remote netip.AddrPort, receive func([]byte)) Served

func (n *Network) host(name string) *host {
	h := n.hosts[name]
	if h == nil {
		k := len(n.hosts) + 1
		h = &host{name: name, ip: netip.AddrFrom4([4]byte{10, 0, byte(k >> 8), byte(k)}), listeners: map[string]Accept{}}
		n.hosts[name] = h
	}
	return h
}

func (n *Network) link(from, to string) *link {
	l := n.links[way{from, to}]
	if l == nil {
		l = &link{delay: n.delay}
		n.links[way{from, to}] = l
	}
	return l
}

// Listen takes connections to host:port until stop is called, which resets none that stand.
func (n *Network) Listen(addr string, accept Accept) (stop func()) {
	h := n.host(hostOf(addr))
	must.Hold(h.listeners[addr] == nil, "somebody listens at %s already", addr)
	h.listeners[addr] = accept
	return func() { delete(h.listeners, addr) }
}

func hostOf(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	must.OK(err)
	return host
}

// Delay sets the delay of one direction.
func (n *Network) Delay(from, to string, d Delay) { n.link(from, to).delay = d }

// Cut cuts one direction, or both when that is called for the other, too.
func (n *Network) Cut(from, to string) { n.link(from, to).cut = true }

// Heal joins what Cut cut: what waited arrives.
func (n *Network) Heal(from, to string) {
	l := n.link(from, to)
	l.cut = false
	held := l.held
	l.held = nil
	for _, deliver := range held {
		n.w.After(0, deliver)
	}
}

// Isolated cuts or heals both directions between a host and every other one that there is.
func (n *Network) Isolated(name string, cut bool) {
	for _, other := range n.names() {
		if other == name {
			continue
		}
		for _, d := range []way{{name, other}, {other, name}} {
			if cut {
				n.Cut(d.from, d.to)
			} else {
				n.Heal(d.from, d.to)
			}
		}
	}
}

func (n *Network) names() []string {
	var out []string
	for name := range n.hosts {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// Break resets every connection between two hosts: both ends hear of it.
func (n *Network) Break(a, b string) {
	for _, c := range n.between(func(c *conn) bool {
		return c.client.host.name == a && c.server.host.name == b || c.client.host.name == b && c.server.host.name == a
	}) {
		c.client.lose(errReset)
		c.server.lose(errReset)
	}
}

// Kill ends the process of a host: nobody listens there any more, and its machine resets its connections. The process itself
// hears nothing; that it doesn't run on is its world's business.
func (n *Network) Kill(name string) {
	h := n.host(name)
	clear(h.listeners)
	for _, c := range n.between(func(c *conn) bool { return c.client.host == h || c.server.host == h }) {
		for _, e := range []*end{c.client, c.server} {
			if e.host == h {
				e.gone = true
				e.send(packet{end: errReset}) // behind what its kernel has taken already
			}
		}
	}
}

// Pause has the processes of a machine stand still: what arrives waits for Continue, as it would in the kernel.
func (n *Network) Pause(name string) { n.host(name).stopped = true }

// Continue hands a machine's processes what arrived meanwhile.
func (n *Network) Continue(name string) {
	h := n.host(name)
	h.stopped = false
	n.release(h)
}

// PowerOff ends a machine: whoever talks to it hears nothing.
func (n *Network) PowerOff(name string) {
	h := n.host(name)
	h.down = true
	clear(h.listeners)
	for _, c := range n.between(func(c *conn) bool { return c.client.host == h || c.server.host == h }) {
		for _, e := range []*end{c.client, c.server} {
			if e.host == h {
				e.gone, e.out = true, nil
			}
		}
	}
}

// PowerOn brings a machine back. It knows nothing of its connections: who sends on one, or did meanwhile, is reset.
func (n *Network) PowerOn(name string) {
	h := n.host(name)
	h.down = false
	n.release(h)
}

// release delivers what a machine could not take.
func (n *Network) release(h *host) {
	held := h.held
	h.held = nil
	for _, deliver := range held {
		n.w.After(0, deliver)
	}
}

// between returns the open connections that are meant, and forgets closed ones.
func (n *Network) between(meant func(*conn) bool) []*conn {
	n.conns = slices.DeleteFunc(n.conns, func(c *conn) bool { return c.client.gone && c.server.gone })
	var out []*conn
	for _, c := range n.conns {
		if meant(c) {
			out = append(out, c)
		}
	}
	return out
}
