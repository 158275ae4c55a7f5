package listen

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// hand is a World with real goroutines whose clock the test moves by hand.
type hand struct {
	world.Real
	mu     sync.Mutex
	now    time.Duration
	timers []*handTimer
}

type handTimer struct {
	hand *hand
	at   time.Duration
	run  func()
}

func (h *hand) Now() kafka.Instant {
	h.mu.Lock()
	defer h.mu.Unlock()
	return kafka.Instant{Mono: time.Hour + h.now}
}

func (h *hand) After(d time.Duration, f func()) world.Timer {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := &handTimer{hand: h, at: h.now + d, run: f}
	h.timers = append(h.timers, t)
	return t
}

func (t *handTimer) Stop() bool {
	t.hand.mu.Lock()
	defer t.hand.mu.Unlock()
	i := slices.Index(t.hand.timers, t)
	if i >= 0 {
		t.hand.timers = slices.Delete(t.hand.timers, i, i+1)
	}
	return i >= 0
}

// advance moves the clock and runs what falls due on the way, in order.
func (h *hand) advance(d time.Duration) {
	h.mu.Lock()
	end := h.now + d
	for {
		next := -1
		for i, t := range h.timers {
			if t.at <= end && (next < 0 || t.at < h.timers[next].at) {
				next = i
			}
		}
		if next < 0 {
			break
		}
		t := h.timers[next]
		h.timers = slices.Delete(h.timers, next, next+1)
		h.now = max(h.now, t.at)
		h.mu.Unlock()
		t.run()
		h.mu.Lock()
	}
	h.now = end
	h.mu.Unlock()
}

// site is a server with sockets. Metadata is answered at once, Produce from other goroutines, Fetch with MaxBytes bytes,
// and SyncGroup by the test, which finds the requests in parked.
type site struct {
	t      *testing.T
	w      *hand
	cfg    *Config
	log    *journal
	seen   *tally
	srv    *Server
	parked chan *wire.Request
	held   atomic.Int64               // payloads that were not released
	file   atomic.Pointer[wire.Piece] // what Fetch answers instead, when set
}

func newSite(t *testing.T, change func(*Options)) *site {
	s := &site{t: t, w: &hand{}, log: &journal{}, seen: &tally{}, parked: make(chan *wire.Request, 100)}
	s.cfg = newConfig(s.w, 256<<20, s.log, s.seen, s.handle)
	o := Options{
		World: s.w, Log: s.cfg.Log, Observer: s.seen, Listen: net.Listen,
		Listeners: []Listener{{Name: "PLAINTEXT", Protocol: "PLAINTEXT", Addr: "127.0.0.1:0", Sessions: s.cfg, Dispatch: s.cfg.Table.Handle}},
		Idle:      10 * time.Minute, Stuck: 30 * time.Second, Slow: 30 * time.Second,
	}
	if change != nil {
		change(&o)
	}
	var err error
	if s.srv, err = Start(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := s.srv.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if n := s.srv.Connections(); n != 0 {
			t.Errorf("%d connections after Shutdown", n)
		}
		if used := s.cfg.Budget.Used(); used != 0 {
			t.Errorf("%d bytes stay charged", used)
		}
		if held := s.held.Load(); held != 0 {
			t.Errorf("%d payloads were not released", held)
		}
	})
	return s
}

func (s *site) handle(req *wire.Request) {
	switch req.Key {
	case kafka.KeyProduce:
		s.w.Go(func() { req.Reply(answerOf(req)) })
	case kafka.KeySyncGroup:
		s.parked <- req
	case kafka.KeyFetch:
		p := wire.Piece{Bytes: pattern(int(req.Fetch.MaxBytes))}
		if f := s.file.Load(); f != nil {
			p = *f
		}
		s.held.Add(1)
		req.Reply(wire.Reply{Payload: &wire.Payload{
			Pieces:  []wire.Piece{{Bytes: []byte("head")}, p, {Bytes: []byte("tail")}},
			Release: func() { s.held.Add(-1) },
		}})
	default:
		req.Reply(answerOf(req))
	}
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8)
	}
	return b
}

// caller is a client on a socket.
type caller struct {
	t  *testing.T
	nc net.Conn
	n  int32
}

func (s *site) dial() *caller { return s.dialTo("PLAINTEXT") }

func (s *site) dialTo(listener string) *caller {
	s.t.Helper()
	nc, err := net.Dial("tcp", s.srv.Addr(listener).String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		s.t.Fatal(err)
	}
	return &caller{t: s.t, nc: nc}
}

func (c *caller) send(reqs ...kmsg.Request) {
	c.t.Helper()
	for _, r := range reqs {
		if _, err := c.nc.Write(frame(c.n, r)); err != nil {
			c.t.Fatal(err)
		}
		c.n++
	}
}

// read returns the next answer; ok is false when the connection was closed instead.
func (c *caller) read() (correlation int32, body []byte, ok bool) {
	c.t.Helper()
	var head [8]byte
	if _, err := io.ReadFull(c.nc, head[:]); err != nil {
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			c.t.Fatal("neither an answer nor an end")
		}
		return 0, nil, false
	}
	body = make([]byte, binary.BigEndian.Uint32(head[:])-4)
	if _, err := io.ReadFull(c.nc, body); err != nil {
		return 0, nil, false
	}
	return int32(binary.BigEndian.Uint32(head[4:])), body, true
}

func (c *caller) want(correlations ...int32) {
	c.t.Helper()
	for _, want := range correlations {
		if got, _, ok := c.read(); !ok || got != want {
			c.t.Fatalf("an answer to %d (%v), want %d", got, ok, want)
		}
	}
}

func (c *caller) wantEnd() {
	c.t.Helper()
	if got, _, ok := c.read(); ok {
		c.t.Fatalf("an answer to %d instead of the end", got)
	}
}

// eventually waits for something that other goroutines bring about; the test's own deadline is its only limit.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for start := time.Now(); !is(); runtime.Gosched() {
		if time.Since(start) > time.Minute {
			t.Fatalf("it never happens: %s", what)
		}
	}
}

func (s *site) wantClosed(reasons ...string) {
	s.t.Helper()
	eventually(s.t, "connections closed", func() bool {
		closed, _, _ := s.seen.snapshot()
		return len(closed) >= len(reasons)
	})
	if closed, _, _ := s.seen.snapshot(); !slices.Equal(closed, reasons) {
		s.t.Fatalf("closed for %q, want %q", closed, reasons)
	}
}

func park() kmsg.Request { return kmsg.NewPtrSyncGroupRequest() }

func fetch(n int) kmsg.Request {
	m := consume().(*kmsg.FetchRequest)
	m.MaxBytes = int32(n)
	return m
}
