package node

import (
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/listen"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/peer"
	"github.com/milena-io/milena/internal/remote/commands"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// hall is the way from one rig to the controllers' listener of another, in one process and without a network.
type hall struct {
	to     *rig
	starts []controller.RegisterBroker // that came this way
}

// way is a connection through the hall.
type way struct {
	w       *world.Virtual
	link    *listen.Link
	sink    peer.Sink
	written int64
	ended   bool
}

// Dial implements peer.Dialer: whatever is asked for is in the other rig.
func (h *hall) Dial(addr string, to peer.Sink) peer.Conn {
	c := &way{w: h.to.w, sink: to}
	h.to.w.After(0, func() {
		if addr != "three:9093" || c.ended {
			c.end(peer.Ending{How: peer.Refused, Err: errors.New("nobody listens at " + addr)})
			return
		}
		c.link = h.to.n.Connect(wire.Peer{Listener: "CONTROLLER", Protocol: "PLAINTEXT", Addr: client, Principal: wire.Anonymous}, c.arrived)
		to.Opened()
	})
	return c
}

func (c *way) arrived(b []byte) {
	if b == nil {
		c.end(peer.Ending{How: peer.Broken, Err: errors.New("closed by the other side")})
	}
	for len(b) > 0 && !c.ended {
		n := copy(c.sink.Space(), b)
		b = b[n:]
		c.sink.Filled(n)
	}
}

func (c *way) end(e peer.Ending) {
	if !c.ended {
		c.ended = true
		c.sink.Ended(e)
	}
}

// Send implements peer.Conn.
func (c *way) Send(b *wire.Buffer) {
	c.written += int64(len(b.B))
	if !c.ended {
		c.link.Send(append([]byte(nil), b.B...))
	}
	b.Free()
}

// Written implements peer.Conn.
func (c *way) Written() int64 { return c.written }

// Close implements peer.Conn.
func (c *way) Close() {
	if c.link != nil {
		c.link.Cut()
	}
	c.w.After(0, func() { c.end(peer.Ending{How: peer.Closed}) })
}

// apart boots a node that is only a controller, and gives the rig of a broker that goes by it, not booted yet.
func apart(t *testing.T) (c, b *rig) {
	t.Helper()
	c = newRig(t, "node.id", "3000", "process.roles", "controller", "listeners", "CONTROLLER://three:9093",
		"controller.quorum.voters", "3000@three:9093")
	b = unbooted(t, "process.roles", "broker", "controller.quorum.voters", "3000@three:9093")
	b.w, b.hall = c.w, &hall{to: c}
	door := &c.n.edge.controllers
	dispatch := door.dispatch
	door.dispatch = func(r *wire.Request) {
		if r.Key == kafka.KeyBrokerRegistration {
			b.hall.starts = append(b.hall.starts, commands.ReadRegisterBroker(r.Body.(*kmsg.BrokerRegistrationRequest)))
		}
		dispatch(r)
	}
	return c, b
}
