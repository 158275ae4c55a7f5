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
	"github.com/milena-io/milena/internal/listen"
	"github.com/milena-io/milena/internal/peer"
	"github.com/milena-io/milena/internal/wire"
)

// door is listeners that are opened and closed together and offer the same. The sockets are bound before anything else is known
// about ports, since others are told of them. They accept once the door is open, and what comes in waits on the porch until it serves.
type door struct {
	listeners []config.Listener
	sessions  *listen.Config
	dispatch  func(*wire.Request)
	porch     porch

	mu     sync.Mutex
	bound  map[string]net.Listener // by listener name; empty without sockets
	server *listen.Server          // nil until open
	closed bool                    // never to be opened any more
}

// bind takes the addresses. A port that is taken is told with what to do about it.
func (d *door) bind(n *Node, all []config.Listener) error {
	d.listeners, d.bound = all, map[string]net.Listener{}
	if n.o.Listen == nil {
		return nil
	}
	for _, l := range all {
		addr := net.JoinHostPort(l.Host, strconv.Itoa(l.Port))
		b, err := n.o.Listen("tcp", addr)
		if err != nil {
			return fmt.Errorf("listener %s cannot bind %s: %w; free the port or choose another with --override listeners=%s://HOST:PORT", l.Name, addr, err, l.Name)
		}
		d.bound[l.Name] = peer.Prompt(b)
	}
	return nil
}

// unbind gives the addresses of a door back that never opened.
func (d *door) unbind() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for _, l := range d.bound {
		_ = l.Close()
	}
	d.bound = nil
}

// addr is what a listener is bound to; nil without a socket.
func (d *door) addr(listener string) net.Addr {
	d.mu.Lock()
	defer d.mu.Unlock()
	if l := d.bound[listener]; l != nil {
		return l.Addr()
	}
	return nil
}

// port is the one that a listener is bound to, where it was left to the system.
func (d *door) port(listener string, want int) uint16 {
	if tcp, ok := d.addr(listener).(*net.TCPAddr); ok && want == 0 {
		return uint16(tcp.Port)
	}
	return uint16(want)
}

// open begins to accept: from now on it is answered whether this process lives.
func (d *door) open(n *Node) error {
	if n.o.Listen == nil || len(d.listeners) == 0 {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return fault.Shutdown("node.listeners")
	}
	v, bound := n.o.Values, d.bound
	idle := v.Millis("connections.max.idle.ms")
	if idle < 0 {
		idle = math.MaxInt64 // never, as in Apache Kafka
	}
	o := listen.Options{
		World: n.o.World, Log: d.sessions.Log, Observer: n.o.Observer, Limits: n.settings.connectionLimits(n.feed.Image()),
		Idle: idle, Stuck: idle, Slow: 30 * time.Second,
		SendBuffer: int(v.Int("socket.send.buffer.bytes")),
		Listen:     func(_, name string) (net.Listener, error) { return bound[name], nil },
	}
	for _, l := range d.listeners {
		o.Listeners = append(o.Listeners, listen.Listener{
			Name: l.Name, Protocol: l.Protocol, Addr: l.Name, Sessions: d.sessions, Dispatch: d.take,
		})
	}
	var err error
	d.server, err = listen.Start(o)
	return err
}

// take is handed every request.
func (d *door) take(r *wire.Request) { d.porch.take(r, d.dispatch) }

// serve begins to answer everything.
func (d *door) serve(n *Node) error {
	d.mu.Lock()
	closed := d.closed
	d.mu.Unlock()
	if closed {
		return fault.Shutdown("node.listeners")
	}
	d.porch.clear(d.dispatch)
	for _, l := range d.listeners {
		if at := d.addr(l.Name); at != nil {
			n.log("kafka.server").Info("Awaiting socket connections on "+at.String()+".", "listener", l.Name)
		}
	}
	return nil
}

func (d *door) running() *listen.Server {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.server
}

// close stops accepting, lets every connection finish what is under way, and closes it.
func (d *door) close(within time.Duration) {
	d.mu.Lock()
	d.closed = true
	server := d.server
	d.mu.Unlock()
	if server == nil {
		d.unbind()
		return
	}
	if !d.porch.cleared.Load() {
		within = 0 // nobody answers what waits there
	}
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	_ = server.Shutdown(ctx) // who is not done by then is cut
}
