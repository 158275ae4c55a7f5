package listen

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/milena-io/milena/internal/wire"
)

// conn is the socket under a session: one goroutine reads and calls the handlers; who writes is whoever the session
// asks, one at a time.
type conn struct {
	server   *Server
	listener *Listener
	nc       net.Conn
	peer     wire.Peer
	session  *Session
	framer   *wire.Framer
	source   source
	wake     chan struct{} // Resume, memory, or the end; room for one
	writer   writer
	start    func() // write, made once: a bound method is allocated

	active  atomic.Int64 // monotonic time of the last byte read or written
	pushing atomic.Int64 // monotonic time since when a write takes no bytes; 0 while none is under way
	begun   atomic.Int64 // monotonic time when the arriving frame began; 0 between frames
	shut    atomic.Bool
	closing sync.Once
}

func newConn(s *Server, nc net.Conn, l *Listener, peer wire.Peer) *conn {
	c := &conn{server: s, listener: l, nc: nc, peer: peer, wake: make(chan struct{}, 1)}
	c.session = NewSession(l.Sessions, s.o.World, peer, l.Dispatch, c)
	c.framer = wire.NewFramer(l.Sessions.Pool, c.session.MaxRequestBytes())
	c.source = source{nc: nc, pool: s.buffers}
	c.writer.conn, c.start = c, c.write
	c.writer.outlet.open(nc, c.writer.moved)
	c.touch()
	return c
}

func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		ap := t.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.AddrPort{} // a connection in memory has no address
	}
	return ap
}

func (c *conn) touch() { c.active.Store(int64(c.server.o.World.Now().Mono)) }

// run reads until the connection ends.
func (c *conn) run() {
	err := c.read()
	reason := c.session.Reason()
	c.Close(reason)
	c.source.rest()
	_, _ = io.Copy(io.Discard, c.nc) // until the client hangs up, or the linger is over
	c.hangUp()
	c.framer.Drop()
	c.source.park()
	c.session.Abort()
	c.lastWrite()
	if reason == reasonClient && err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
		reason = reasonNetwork
	}
	c.server.o.Observer.Closed(c.peer, reason)
	c.server.forget(c)
}

// lastWrite returns when whoever writes has seen the end. Nobody begins any more.
func (c *conn) lastWrite() {
	c.writer.mu.Lock()
	defer c.writer.mu.Unlock()
}

func (c *conn) read() error {
	for {
		if !c.memory() {
			return net.ErrClosed
		}
		n, err := c.source.Read(c.framer.Space())
		if err != nil {
			return err
		}
		c.touch()
		c.server.o.Observer.Received(c.peer, n)
		frame, err := c.framer.Filled(n)
		if err != nil {
			c.session.Refuse(err)
			c.drain()
			return err
		}
		if c.framer.Between() {
			c.begun.Store(0)
		} else if c.begun.Load() == 0 {
			c.begun.Store(c.active.Load())
		}
		if frame != nil && !c.deliver(frame) {
			return net.ErrClosed
		}
	}
}

// deliver hands a frame to the session and waits until it takes another one.
func (c *conn) deliver(frame *wire.Buffer) bool {
	more := c.session.Receive(frame)
	c.flush()
	for !more {
		if <-c.wake; c.shut.Load() {
			return false
		}
		more = c.session.Continue()
		c.flush()
	}
	c.framer.SetMax(c.session.MaxRequestBytes())
	return !c.shut.Load() // who was cut begins nothing more, also not of what was read already
}

// memory waits until the frame that is arriving may go on, and reports whether the connection is still open.
func (c *conn) memory() bool {
	for c.framer.Starved() {
		c.listener.Sessions.Budget.WhenFree(c.Resume)
		if <-c.wake; c.shut.Load() {
			return false
		}
	}
	return true
}

// drain waits for the end after a refusal: what is under way is still answered.
func (c *conn) drain() {
	for !c.shut.Load() {
		<-c.wake
		c.session.Continue()
		c.flush()
	}
}

func (c *conn) flush() {
	if c.session.BeginWrite() {
		c.write()
	}
}

// Output implements Transport.
func (c *conn) Output() { c.server.o.World.Go(c.start) }

// Resume implements Transport.
func (c *conn) Resume() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Close implements Transport.
func (c *conn) Close(reason string) {
	c.closing.Do(func() {
		c.shut.Store(true)
		half, ok := c.nc.(interface{ CloseWrite() error })
		if ok && lingers(reason) && half.CloseWrite() == nil {
			c.server.o.World.After(linger, c.hangUp)
			return
		}
		c.hangUp()
	})
	c.Resume()
}

// linger is how long a connection that we end waits for the client to hang up. Closing it at once while the client
// still sends would reset it, and the client could lose the last answers.
const linger = 250 * time.Millisecond

// lingers reports whether answers may still be on their way to the client when its connection ends.
func lingers(reason string) bool {
	return reason == reasonStop || reason == reasonAnswer || strings.HasPrefix(reason, reasonRefused)
}

func (c *conn) hangUp() { _ = c.nc.Close() } // the connection is given up either way

// cut ends the connection at once, whatever is under way.
func (c *conn) cut(reason string) {
	c.session.because(reason)
	c.Close(reason)
}
