package listen

import (
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/inflight"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// Config is what the sessions of one listener share.
type Config struct {
	Table           *wire.Table
	Pool            *wire.Pool
	Budget          *wire.Budget
	Limits          inflight.Limits
	MaxRequestBytes int32 // socket.request.max.bytes
	Observer        Observer
	Log             *RateLimited
	// Login restricts a connection until Authenticated is called; nil on listeners where everybody is ANONYMOUS.
	Login *Login
	// Parks reports whether Dispatch may keep a Fetch that it has not read yet: its frame then lasts until it is answered. Once it
	// says no it says no for good; nil is never.
	Parks func() bool

	calls sync.Pool // *call
}

// Login bounds a connection that has not authenticated (architecture D9).
type Login struct {
	MaxRequestBytes int32         // 16 KiB
	Within          time.Duration // 10 s
}

// DefaultLimits suit a connection of any Kafka client: those pipeline five Produce requests of a megabyte.
func DefaultLimits() inflight.Limits {
	return inflight.Limits{Requests: 64, ReplicaFetches: 9, Bytes: 64 << 20, Output: 16 << 20}
}

// Transport is what a Session needs of the connection under it. Its methods are called without a lock, from any
// goroutine; they don't block and don't call the Session before they have returned.
type Transport interface {
	// Output asks that Next be called until it returns nil. Who is asked is the only writer until then.
	Output()
	// Resume asks that Continue be called by whoever delivers frames.
	Resume()
	// Close asks that the connection be closed and Abort be called. It comes at most once.
	Close(reason string)
}

// Session is one connection without its socket. Frames are delivered by one goroutine at a time.
type Session struct {
	cfg      *Config
	world    world.World
	dispatch func(*wire.Request)
	out      Transport
	origin   wire.Peer // as the connection came in; for logs and observers
	peer     wire.Peer // of the next request; only the deliverer touches it
	clientID string    // the last one, to save its allocation

	mu      sync.Mutex
	machine *inflight.Connection[*call]
	held    *call // decoded and not admitted yet
	is      situation
	reason  string      // why it ends
	login   world.Timer // nil where nobody logs in
}

// Why connections end, in the words of Observer.Closed; "refused ..." says what was refused.
const (
	reasonClient  = "client"  // it hung up
	reasonNetwork = "network" // it broke
	reasonStop    = "stop"    // we stop
	reasonCut     = "cut"     // we stop, and it was not done in time
	reasonRefused = "refused "
	reasonAnswer  = "answer" // an answer said so
	reasonIdle    = "idle"
	reasonStuck   = "stuck"  // it doesn't read
	reasonMemory  = "memory" // its frame doesn't end while memory is short
	reasonFile    = "file"   // a file that was being sent could not be read
)

// situation is what the session has already set going.
type situation struct {
	receiving bool // a handler is being called: the deliverer looks for output itself, afterwards
	writing   bool // somebody has been asked to write
	resumed   bool // Resume was called for what is held
	timed     bool // a timer runs that ends a throttle
	ending    bool // nothing begins any more
	closed    bool // the transport was asked to close
	dead      bool // Abort was called
}

// NewSession starts a session. dispatch is called for every request that is admitted.
func NewSession(cfg *Config, w world.World, peer wire.Peer, dispatch func(*wire.Request), out Transport) *Session {
	s := &Session{
		cfg: cfg, world: w, origin: peer, peer: peer, dispatch: dispatch, out: out,
		machine: inflight.New[*call](cfg.Limits, cfg.Login != nil),
	}
	if cfg.Login != nil {
		s.mu.Lock()
		s.login = w.After(cfg.Login.Within, s.loginExpired)
		s.mu.Unlock()
	}
	return s
}

// MaxRequestBytes returns the largest frame that the session accepts now.
func (s *Session) MaxRequestBytes() int32 {
	if s.cfg.Login != nil && s.peer.Principal == (wire.Principal{}) {
		return s.cfg.Login.MaxRequestBytes
	}
	return s.cfg.MaxRequestBytes
}

// Authenticated fixes the principal of the requests that follow. The handler of the request that completed the login
// calls it before it replies, while it is being dispatched.
func (s *Session) Authenticated(p wire.Principal) {
	s.peer.Principal = p
	s.mu.Lock()
	s.machine.Authenticated()
	if s.login != nil {
		s.login.Stop()
	}
	s.mu.Unlock()
}

func (s *Session) loginExpired() {
	s.mu.Lock()
	late := s.machine.LoggingIn() && !s.is.dead
	s.mu.Unlock()
	if late {
		s.Refuse(fault.New("listen.login", kafka.ErrSaslAuthenticationFailed,
			"the client did not authenticate within %v", s.cfg.Login.Within))
	}
}

// Receive takes a whole frame and owns it. It returns false when no further frame may be delivered until Resume.
func (s *Session) Receive(frame *wire.Buffer) bool {
	now := s.world.Now()
	c, err := newCall(s, now, frame)
	if err != nil {
		s.Refuse(err)
		return false
	}
	s.mu.Lock()
	return s.admit(now, c)
}

// Continue tries again to begin the request that is held, after Resume. It returns as Receive does.
func (s *Session) Continue() bool {
	now := s.world.Now()
	s.mu.Lock()
	c := s.held
	s.held, s.is.resumed = nil, false
	if c == nil {
		more := !s.is.ending && !s.is.closed && !s.is.dead
		s.mu.Unlock()
		return more
	}
	return s.admit(now, c)
}

// admit begins c or holds it. It is entered with the lock held and leaves without.
func (s *Session) admit(now kafka.Instant, c *call) bool {
	verdict := inflight.Closing
	if !s.is.dead {
		c.arrival.Share = s.cfg.Budget.Share()
		c.id, verdict = s.machine.Admit(now, c.arrival, c)
	}
	switch verdict {
	case inflight.Admitted:
		s.is.receiving = true
		s.mu.Unlock()
		s.begin(now, c)
		s.mu.Lock()
		s.is.receiving = false
		s.mu.Unlock()
		return true
	case inflight.Refused:
		s.mu.Unlock()
		c.discard()
		s.Refuse(fault.New("listen.login", kafka.ErrIllegalSaslState, "%v before authentication", c.request.Key))
		return false
	case inflight.Closing:
		s.mu.Unlock()
		c.discard()
		return false
	}
	s.held = c
	wake := s.collect(now)
	s.mu.Unlock()
	s.fire(wake)
	return false
}

// begin calls the handler. It may have been answered before that returns, and be another call already.
func (s *Session) begin(now kafka.Instant, c *call) {
	c.request.Timeline.Queued = now.Mono
	if c.decoded.UnknownVersion {
		c.reply(wire.Reply{Message: s.cfg.Table.UnsupportedVersion()})
		return
	}
	var frame *wire.Buffer
	// A Fetch may wait long, and its handler is done with the frame when it returns.
	if c.request.Key == kafka.KeyFetch && (s.cfg.Parks == nil || !s.cfg.Parks()) {
		frame, c.frame = c.frame, nil
	}
	s.dispatch(&c.request)
	if frame != nil {
		frame.Free()
	}
}

// Refuse ends the session because of bytes that cannot be served: what is under way is answered, then the connection is
// closed, as Kafka does; the log says why.
func (s *Session) Refuse(err error) {
	var f *fault.Error
	what := "frame"
	if errors.As(err, &f) {
		_, what, _ = strings.Cut(f.Op, ".")
	}
	s.cfg.Observer.Refused(s.origin, what)
	s.cfg.Log.Warn(reasonRefused+what, "Closing the connection of "+s.origin.Addr.String()+": "+err.Error(),
		"listener", s.origin.Listener, "client", s.origin.Addr.String(), "connection", s.origin.ConnectionID)
	s.end(reasonRefused + what)
}

// Drain lets nothing new begin and closes the connection when everything under way was answered and written.
func (s *Session) Drain() { s.end(reasonStop) }

func (s *Session) end(reason string) {
	s.mu.Lock()
	s.machine.Drain()
	s.is.ending = true
	if s.reason == "" {
		s.reason = reason
	}
	held := s.held
	s.held = nil
	wake := s.collect(s.world.Now())
	s.mu.Unlock()
	if held != nil {
		held.discard()
	}
	s.fire(wake)
}

// Abort ends the session when its connection is gone. Answers that are still to come are dropped.
func (s *Session) Abort() {
	s.mu.Lock()
	s.is.closed, s.is.dead = true, true
	held, unsent := s.held, s.machine.Abandon()
	s.held = nil
	if s.login != nil {
		s.login.Stop()
	}
	s.mu.Unlock()
	if held != nil {
		held.discard()
	}
	for _, c := range unsent {
		c.answer.Out.Free()
		s.cfg.Observer.Done(&c.request, c.arrival.Bytes, 0)
	}
}

// Idle reports whether no request is held or under way and no answer is to be written.
func (s *Session) Idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, _ := s.machine.UnderWay()
	return n == 0 && s.held == nil && s.machine.Output() == 0
}

// Reason returns why the session closed its connection, or "client".
func (s *Session) Reason() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reason == "" {
		return reasonClient
	}
	return s.reason
}

// because keeps the first reason for the end.
func (s *Session) because(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reason == "" {
		s.reason = reason
	}
}

// signals are the calls to the transport that an event makes due; they are collected under the lock and fired after.
type signals struct {
	output, resume, closing bool
	timer                   time.Duration
	reason                  string
}

func (s *Session) collect(now kafka.Instant) (out signals) {
	if s.is.dead {
		return out
	}
	if !s.is.receiving && !s.is.writing && s.machine.Ready() {
		s.is.writing, out.output = true, true
	}
	if s.held != nil && !s.is.resumed {
		s.held.arrival.Share = s.cfg.Budget.Share()
		switch s.machine.Check(now, s.held.arrival) {
		case inflight.Admitted, inflight.Closing:
			s.is.resumed, out.resume = true, true
		case inflight.Muted:
			if !s.is.timed {
				s.is.timed, out.timer = true, s.machine.MutedUntil()-now.Mono
			}
		}
	}
	if !s.is.closed && s.machine.Done() {
		s.is.closed, out.closing = true, true
		if s.reason == "" {
			s.reason = reasonAnswer
		}
		out.reason = s.reason
	}
	return out
}

func (s *Session) fire(g signals) {
	if g.output {
		s.out.Output()
	}
	if g.resume {
		s.out.Resume()
	}
	if g.timer > 0 {
		s.world.After(g.timer, s.throttleOver)
	}
	if g.closing {
		s.out.Close(g.reason)
	}
}

func (s *Session) throttleOver() {
	s.mu.Lock()
	s.is.timed = false
	wake := s.collect(s.world.Now())
	s.mu.Unlock()
	s.fire(wake)
}
