package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// Listener is one named address that clients connect to.
type Listener struct {
	Name     string // upper case
	Protocol string // PLAINTEXT
	Addr     string // host:port to bind
	Sessions *Config
	Dispatch func(*wire.Request)
}

// Options are what a Server needs.
type Options struct {
	World    world.World
	Log      *RateLimited
	Observer Observer
	// Listen opens a listener, net.Listen in production.
	Listen    func(network, addr string) (net.Listener, error)
	Listeners []Listener
	Limits    ConnectionLimits
	Idle      time.Duration // connections.max.idle.ms
	// SendBuffer is what the kernel holds of an answer that the client has not taken, bytes (socket.send.buffer.bytes). Below
	// one the system decides, which makes large answers dearer (ADR 0016).
	SendBuffer int
	// Stuck is how long a client may take to read a piece of 64 KiB.
	Stuck time.Duration
	// Slow is how long a frame may take to arrive while memory is short, or such a piece to be read; the latter also while nobody
	// new can be let in.
	Slow time.Duration
}

// Server is the sockets under the sessions.
type Server struct {
	o        Options
	buffers  *wire.Pool // of the sockets' readers and writers; not charged, since idle connections give theirs back
	limits   limiter
	mu       sync.Mutex
	stopping bool
	bound    []net.Listener // in the order of Options.Listeners
	conns    map[*conn]struct{}
	nextID   uint64
	gone     sync.WaitGroup // accept loops and connections
	reaper   world.Timer
}

// Start binds every listener and accepts connections. When one cannot be bound, none is.
func Start(o Options) (*Server, error) {
	s := &Server{o: o, buffers: wire.NewPool(nil, false), conns: map[*conn]struct{}{}}
	s.limits.init(o.Limits)
	for _, l := range o.Listeners {
		ln, err := o.Listen("tcp", l.Addr)
		if err != nil {
			for _, b := range s.bound {
				err = errors.Join(err, b.Close())
			}
			return nil, fmt.Errorf("listener %s cannot listen on %s: %w", l.Name, l.Addr, err)
		}
		s.bound = append(s.bound, ln)
	}
	for i := range o.Listeners {
		ln := s.bound[i] // a stop may come before the goroutine, and forgets what is bound
		s.gone.Add(1)
		o.World.Go(func() {
			defer s.gone.Done()
			s.accept(ln, &s.o.Listeners[i])
		})
	}
	s.mu.Lock()
	s.reaper = o.World.After(reapEvery, s.reap)
	s.mu.Unlock()
	return s, nil
}

// Addr returns the address that a listener is bound to, for port 0; nil for an unknown name.
func (s *Server) Addr(name string) net.Addr {
	for i := range s.o.Listeners {
		if s.o.Listeners[i].Name == name {
			return s.bound[i].Addr()
		}
	}
	return nil
}

// SetLimits changes the limits on connections; existing ones stay.
func (s *Server) SetLimits(l ConnectionLimits) { s.limits.set(l) }

// Connections returns how many connections are open.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

func (s *Server) accept(ln net.Listener, l *Listener) {
	failures := 0
	for {
		nc, err := ln.Accept()
		if s.isStopping() {
			if err == nil {
				_ = nc.Close()
			}
			return
		}
		if err != nil {
			// Out of descriptors, most likely: it passes, and connections stand in the backlog meanwhile.
			failures++
			s.o.Log.Warn("accept", "Cannot accept a connection: "+err.Error(), "listener", l.Name)
			if errors.Is(err, net.ErrClosed) || !s.pause(min(failures*10, 1000)) {
				return
			}
			continue
		}
		failures = 0
		peer := wire.Peer{Listener: l.Name, Protocol: l.Protocol, Addr: addrPort(nc.RemoteAddr())}
		if l.Sessions.Login == nil {
			peer.Principal = wire.Anonymous
		}
		if s.limits.crowded(l.Name) {
			s.o.Log.Warn("crowded", "Connections wait until others are closed: as many are open as max.connections, or the limit of open files (ulimit -n), allows.", "listener", l.Name)
		}
		if refusal := s.limits.enter(l.Name, peer.Addr.Addr()); refusal != "" {
			s.o.Log.Warn("limit", "Refusing a connection: "+refusal, "listener", l.Name, "client", peer.Addr.String())
			s.o.Observer.Refused(peer, "limit")
			_ = nc.Close()
			continue
		}
		s.serve(nc, l, peer)
	}
}

func (s *Server) serve(nc net.Conn, l *Listener, peer wire.Peer) {
	s.mu.Lock()
	if s.stopping {
		s.mu.Unlock()
		s.limits.leave(l.Name, peer.Addr.Addr())
		_ = nc.Close()
		return
	}
	s.nextID++
	peer.ConnectionID = s.nextID
	if tcp, ok := nc.(*net.TCPConn); ok && s.o.SendBuffer > 0 {
		_ = tcp.SetWriteBuffer(s.o.SendBuffer) // the system's own size serves, too
	}
	c := newConn(s, nc, l, peer)
	s.conns[c] = struct{}{}
	s.gone.Add(1)
	s.mu.Unlock()
	s.o.Observer.Opened(peer)
	s.o.World.Go(c.run)
}

func (s *Server) forget(c *conn) {
	s.limits.leave(c.listener.Name, c.peer.Addr.Addr())
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	s.gone.Done()
}

// pause waits, and reports false when the server stops meanwhile.
func (s *Server) pause(ms int) bool {
	over := make(chan struct{})
	s.o.World.After(time.Duration(ms)*time.Millisecond, func() { close(over) })
	<-over
	return !s.isStopping()
}

func (s *Server) isStopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping
}

// all returns the open connections in the order in which they were accepted.
func (s *Server) all() []*conn {
	s.mu.Lock()
	out := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		out = append(out, c)
	}
	s.mu.Unlock()
	slices.SortFunc(out, func(a, b *conn) int { return int(int64(a.peer.ConnectionID) - int64(b.peer.ConnectionID)) })
	return out
}

// StopAccepting closes the listeners. Existing connections go on.
func (s *Server) StopAccepting() {
	s.mu.Lock()
	already := s.stopping
	s.stopping = true
	s.reaper.Stop()
	s.mu.Unlock()
	if already {
		return
	}
	for _, ln := range s.bound {
		_ = ln.Close() // its only error is that it is closed
	}
	s.limits.stop()
}

// Shutdown stops accepting, lets every connection finish what is under way, and closes it. Connections that are not
// done when ctx is, are cut; the error says how many.
func (s *Server) Shutdown(ctx context.Context) error {
	s.StopAccepting()
	for _, c := range s.all() {
		c.session.Drain()
	}
	done := make(chan struct{})
	s.o.World.Go(func() {
		s.gone.Wait()
		close(done)
	})
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	left := s.all()
	for _, c := range left {
		c.cut(reasonCut)
		c.hangUp() // also when it was closing already, and lingered
	}
	<-done
	if len(left) == 0 {
		return nil
	}
	return fmt.Errorf("%d connections were cut with requests under way: %w", len(left), ctx.Err())
}
