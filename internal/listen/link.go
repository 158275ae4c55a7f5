package listen

import (
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// Link is a connection in memory, the counterpart of a socket in simulations and tests: bytes in, bytes out, every
// delivery an event of the world. It is for worlds of one goroutine and not safe for concurrent use.
type Link struct {
	cfg     *Config
	world   world.World
	session *Session
	framer  *wire.Framer
	receive func([]byte)

	in      []byte // sent by the client and not yet taken
	back    []byte // written by the session and not yet delivered
	pumping bool   // a delivery to the session is an event to come
	giving  bool   // a delivery to the client is
	paused  bool   // the session wants no frame before Resume
	stalled bool   // the client doesn't read
	owed    bool   // Output was asked for while the client didn't read
	ended   bool
	closing bool // by the server: the client is told behind what is on its way to it
}

// Connect opens a connection; receive is handed what the client gets, and nil when the server closed the connection.
func Connect(cfg *Config, w world.World, peer wire.Peer, dispatch func(*wire.Request), receive func([]byte)) *Link {
	l := &Link{cfg: cfg, world: w, receive: receive}
	l.session = NewSession(cfg, w, peer, dispatch, l)
	l.framer = wire.NewFramer(cfg.Pool, l.session.MaxRequestBytes())
	cfg.Observer.Opened(peer)
	return l
}

// Session returns the session at the server's end.
func (l *Link) Session() *Session { return l.session }

// Ended reports whether the connection is closed, by either side.
func (l *Link) Ended() bool { return l.ended }

// Send is the client writing. It may come in any pieces.
func (l *Link) Send(b []byte) {
	l.in = append(l.in, b...)
	l.wake()
}

// Stall makes the client stop reading, or go on.
func (l *Link) Stall(stalled bool) {
	l.stalled = stalled
	if !stalled && l.owed {
		l.owed = false
		l.Output()
	}
}

// Cut ends the connection as a broken network does: what was not delivered is lost.
func (l *Link) Cut() {
	l.back = nil
	l.end(reasonNetwork)
}

func (l *Link) end(reason string) {
	if l.ended {
		return
	}
	l.ended = true
	l.framer.Drop()
	l.session.Abort()
	l.cfg.Observer.Closed(l.session.peer, reason)
}

func (l *Link) wake() {
	if l.pumping || l.paused || l.ended {
		return
	}
	l.pumping = true
	l.world.Go(func() {
		l.pumping = false
		l.pump()
	})
}

// pump delivers what the client sent, until the session wants no more.
func (l *Link) pump() {
	for len(l.in) > 0 && !l.paused && !l.ended {
		if l.framer.Starved() {
			l.paused = true
			l.cfg.Budget.WhenFree(func() { l.world.Go(l.unpause) })
			return
		}
		n := copy(l.framer.Space(), l.in)
		l.in = l.in[n:]
		l.cfg.Observer.Received(l.session.peer, n)
		frame, err := l.framer.Filled(n)
		switch {
		case err != nil:
			l.paused = true
			l.session.Refuse(err)
		case frame != nil:
			l.paused = !l.session.Receive(frame)
			l.framer.SetMax(l.session.MaxRequestBytes())
			l.flush()
		}
	}
}

func (l *Link) unpause() {
	if !l.ended {
		l.paused = false
		l.pump()
	}
}

func (l *Link) flush() {
	if l.session.BeginWrite() {
		l.Output()
	}
}

// Output implements Transport.
func (l *Link) Output() {
	if l.stalled {
		l.owed = true
		return
	}
	l.world.Go(l.write)
}

// Resume implements Transport.
func (l *Link) Resume() {
	l.world.Go(func() {
		if l.ended {
			return
		}
		l.paused = !l.session.Continue()
		l.flush()
		l.pump()
	})
}

// Close implements Transport.
func (l *Link) Close(reason string) {
	l.world.Go(func() { l.close(reason) })
}

// close is the server's end of the connection.
func (l *Link) close(reason string) {
	if l.ended {
		return
	}
	l.end(reason)
	l.closing = true
	l.deliver()
}

func (l *Link) write() {
	if l.stalled && !l.ended {
		l.owed = true
		return
	}
	for {
		a, _ := l.session.Next()
		if a == nil {
			break
		}
		b, err := a.Out.AppendTo(nil)
		l.session.Written(a)
		if err != nil {
			l.close(reasonFile)
			break
		}
		l.cfg.Observer.Sent(l.session.peer, len(b))
		l.back = append(l.back, b...)
	}
	if len(l.back) > 0 {
		l.deliver()
	}
}

// deliver has what came back given to the client.
func (l *Link) deliver() {
	if !l.giving {
		l.giving = true
		l.world.Go(l.give)
	}
}

func (l *Link) give() {
	l.giving = false
	if b := l.back; len(b) > 0 {
		l.back = nil
		l.receive(b)
	}
	if l.closing {
		l.closing = false
		l.receive(nil)
	}
}
