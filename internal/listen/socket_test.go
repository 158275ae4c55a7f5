package listen

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/wire"
)

// burst is requests of several classes, numbered from 0, as one stream of bytes.
func burst(n int) (stream []byte, correlations []int32) {
	kinds := []kmsg.Request{write(-1, 10_000), write(1, 100), metadata(), fetch(30_000), write(-1, 70_000), fetch(200_000)}
	for i := range n {
		stream = append(stream, frame(int32(i), kinds[i%len(kinds)])...)
		correlations = append(correlations, int32(i))
	}
	return stream, correlations
}

// TestSocketKeepsOrder: several frames in one segment, one frame in many, and everything between; Produce is answered by
// other goroutines in any order.
func TestSocketKeepsOrder(t *testing.T) {
	s := newSite(t, nil)
	stream, want := burst(60)
	rng := rand.New(rand.NewPCG(1, 2))
	for _, most := range []int{len(stream), 20_000, 1500} {
		c := s.dial()
		sent := make(chan error, 1)
		go func() {
			var err error
			for rest := stream; len(rest) > 0 && err == nil; {
				n := min(1+rng.IntN(most), len(rest))
				_, err = c.nc.Write(rest[:n])
				rest = rest[n:]
			}
			sent <- err
		}()
		c.want(want...)
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
	}
	c := s.dial() // byte by byte
	for _, b := range append(frame(0, metadata()), frame(1, write(-1, 300))...) {
		if _, err := c.nc.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	c.want(0, 1)
}

// TestSocketAnswersWhole: an answer of memory pieces of every size arrives byte for byte.
func TestSocketAnswersWhole(t *testing.T) {
	s := newSite(t, nil)
	c := s.dial()
	for _, n := range []int{0, 1, 4000, writeBytes - 12, writeBytes, writeBytes + 1, 3 << 20} {
		c.send(fetch(n))
		wantPayload(t, c, n)
	}
}

func wantPayload(t *testing.T, c *caller, n int) {
	t.Helper()
	_, body, ok := c.read()
	want := slices.Concat([]byte{0}, []byte("head"), pattern(n), []byte("tail")) // the 0 is the header's tag section
	if !ok || !bytes.Equal(body, want) {
		t.Fatalf("%d bytes (%v) came instead of %d, or others", len(body), ok, len(want))
	}
}

// TestSocketIdleClose: connections.max.idle.ms ends who says nothing, and spares who waits for an answer.
func TestSocketIdleClose(t *testing.T) {
	s := newSite(t, nil)
	idle, busy, waiting := s.dial(), s.dial(), s.dial()
	for _, c := range []*caller{idle, busy} {
		c.send(metadata())
		c.want(0)
	}
	waiting.send(park())
	parked := <-s.parked
	eventually(t, "all are answered but one", func() bool { return s.engaged() == 1 })
	s.w.advance(9 * time.Minute) // on the way all three give their buffers back
	busy.send(metadata())
	busy.want(1)
	eventually(t, "all are answered but one", func() bool { return s.engaged() == 1 })
	s.w.advance(2 * time.Minute)
	idle.wantEnd()
	s.wantClosed(reasonIdle)
	busy.send(metadata(), write(-1, 100_000))
	busy.want(2, 3)
	parked.Reply(answerOf(parked))
	waiting.want(0)
	waiting.send(metadata())
	waiting.want(1)
	eventually(t, "all are answered", func() bool { return s.engaged() == 0 })
	s.w.advance(11 * time.Minute)
	s.wantClosed(reasonIdle, reasonIdle, reasonIdle)
}

// TestSocketMaxConnections: whoever is over max.connections waits until one leaves, as in Kafka.
func TestSocketMaxConnections(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Limits.Total = 2 })
	first, second := s.dial(), s.dial()
	for _, c := range []*caller{first, second} {
		c.send(metadata())
		c.want(0)
	}
	third, fourth := s.dial(), s.dial()
	third.send(metadata())
	fourth.send(metadata())
	first.send(metadata())
	first.want(1)
	if n := s.srv.Connections(); n != 2 {
		t.Fatalf("%d connections", n)
	}
	eventually(t, "the log tells that connections wait", func() bool { return s.log.count("Connections wait until others are closed") > 0 })
	_ = first.nc.Close()
	third.want(0)
	s.srv.SetLimits(ConnectionLimits{}) // and the limit is lifted while the fourth waits
	fourth.want(0)
	if s.seen.most > 3 {
		t.Fatalf("%d connections at a time", s.seen.most)
	}
}

// TestSocketMaxConnectionsPerIP: whoever is over max.connections.per.ip is refused and told so in the log.
func TestSocketMaxConnectionsPerIP(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Limits.PerIP = 1 })
	first := s.dial()
	first.send(metadata())
	first.want(0)
	s.dial().wantEnd()
	if _, refused, _ := s.seen.snapshot(); !slices.Equal(refused, []string{"limit"}) || s.log.count("max.connections.per.ip") != 1 ||
		s.log.count("client=127.0.0.1:") != 1 {
		t.Fatalf("refused %q, log %q", refused, s.log.lines)
	}
	s.srv.SetLimits(ConnectionLimits{PerIP: 1, PerIPFor: map[netip.Addr]int{netip.MustParseAddr("127.0.0.1"): 2}})
	second := s.dial()
	second.send(metadata())
	second.want(0)
	_ = first.nc.Close()
	s.wantClosed(reasonClient)
	third := s.dial() // its place is free again
	third.send(metadata())
	third.want(0)
}

// TestSocketListeners: each listener has its name, its address and its own limit; one that cannot be bound binds none.
func TestSocketListeners(t *testing.T) {
	var opened []net.Listener
	s := newSite(t, func(o *Options) {
		inner := o.Listeners[0]
		inner.Name = "INNER"
		o.Listeners = append(o.Listeners, inner)
		o.Limits.PerListener = map[string]int{"PLAINTEXT": 1}
		o.Listen = func(network, addr string) (net.Listener, error) {
			l, err := net.Listen(network, addr)
			opened = append(opened, l)
			return l, err
		}
	})
	if s.srv.Addr("INNER").String() == s.srv.Addr("PLAINTEXT").String() || s.srv.Addr("OTHER") != nil {
		t.Fatal("listeners share an address, or an unknown one has one")
	}
	outer := s.dial()
	outer.send(park())
	if r := <-s.parked; r.Peer.Listener != "PLAINTEXT" || r.Peer.Principal != wire.Anonymous {
		t.Fatalf("peer %+v", r.Peer)
	} else {
		r.Reply(answerOf(r))
	}
	outer.want(0)
	late := s.dial() // waits for the place on PLAINTEXT, which holds nobody up on INNER
	late.send(metadata())
	for range 3 {
		c := s.dialTo("INNER")
		c.send(park())
		r := <-s.parked
		if r.Peer.Listener != "INNER" || r.Peer.Addr.String() != c.nc.LocalAddr().String() {
			t.Fatalf("peer %+v", r.Peer)
		}
		r.Reply(answerOf(r))
		c.want(0)
	}
	_ = outer.nc.Close()
	late.want(0)

	o := s.srv.o
	o.Listeners = slices.Clone(o.Listeners)
	o.Listeners[1].Addr, opened = s.srv.Addr("INNER").String(), nil
	if _, err := Start(o); err == nil || !strings.Contains(err.Error(), "INNER") {
		t.Fatalf("started on an address that is taken: %v", err)
	}
	if _, err := opened[0].Accept(); !errors.Is(err, net.ErrClosed) {
		t.Fatalf("the first listener stays open: %v", err)
	}
}

// TestSocketHalfClosed: what a client sent before it closed takes effect; its answers are nobody's any more, as in Kafka.
func TestSocketHalfClosed(t *testing.T) {
	s := newSite(t, nil)
	c := s.dial()
	for range 50 {
		c.send(write(0, 30_000))
	}
	c.send(park())
	if err := c.nc.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	parked := <-s.parked
	c.wantEnd()
	s.wantClosed(reasonClient)
	parked.Reply(answerOf(parked)) // its handler didn't know
	eventually(t, "51 requests are done", func() bool {
		_, _, done := s.seen.snapshot()
		return len(done) == 51
	})
}

// pushing counts the connections that are writing. A client may have an answer before its writer has returned.
func (s *site) pushing() (n int) {
	for _, c := range s.srv.all() {
		if c.pushing.Load() != 0 {
			n++
		}
	}
	return n
}

// engaged counts the connections that have a request under way or an answer that is not yet known to be written. A client that
// has read its answer may be ahead of that.
func (s *site) engaged() (n int) {
	for _, c := range s.srv.all() {
		if !c.session.Idle() {
			n++
		}
	}
	return n
}

// TestSocketUnread: a client that doesn't read is served no further, holds little, hurts nobody, and is given up.
func TestSocketUnread(t *testing.T) {
	s := newSite(t, func(o *Options) {
		o.Listeners[0].Sessions.Limits.Output = 4 << 20
		o.Idle = 1 << 62 // the hands move far while the other client waits
	})
	deaf, good := s.dial(), s.dial()
	var stream []byte
	for i := range 200 {
		stream = append(stream, frame(int32(i), fetch(1<<20))...)
	}
	if _, err := deaf.nc.Write(stream); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a write is stuck", func() bool { return s.held.Load() > 0 && s.pushing() == 1 })
	good.send(metadata(), write(-1, 100_000), fetch(1<<20))
	good.want(0, 1, 2)
	if held := s.held.Load(); held > 6 {
		t.Fatalf("%d answers of a megabyte are held", held)
	}
	eventually(t, "only one write is stuck", func() bool { return s.pushing() == 1 })
	s.w.advance(29 * time.Second)
	good.send(metadata())
	good.want(3)
	eventually(t, "only one write is stuck", func() bool { return s.pushing() == 1 })
	s.wantClosed()
	eventually(t, "the deaf client is given up", func() bool {
		if all := s.srv.all(); len(all) == 2 && all[0].session.Reason() == reasonClient {
			s.w.advance(time.Second)
		}
		return s.srv.Connections() == 1
	})
	s.wantClosed(reasonStuck)
	eventually(t, "all answers are given back", func() bool { return s.held.Load() == 0 })
	if _, _, done := s.seen.snapshot(); len(done) > 100 {
		t.Fatalf("%d requests were served for nobody", len(done))
	}
	if s.log.count("took less than 64 KiB of its answers") != 1 {
		t.Fatalf("log %q", s.log.lines)
	}
	good.send(metadata())
	good.want(4)
}

// TestSocketShutdown: what is in flight is answered, then everybody is sent away.
func TestSocketShutdown(t *testing.T) {
	s := newSite(t, nil)
	idle, waiting := s.dial(), s.dial()
	idle.send(metadata())
	idle.want(0)
	waiting.send(park(), metadata()) // the second one waits behind the first, and does not begin any more
	parked := <-s.parked
	over := make(chan error, 1)
	go func() { over <- s.srv.Shutdown(context.Background()) }()
	idle.wantEnd()
	_ = idle.nc.Close()
	if _, err := net.Dial("tcp", s.srv.Addr("PLAINTEXT").String()); err == nil {
		t.Fatal("it still accepts")
	}
	eventually(t, "the other connection drains", func() bool {
		all := s.srv.all()
		return len(all) == 1 && all[0].session.Reason() == reasonStop
	})
	parked.Reply(answerOf(parked))
	waiting.want(0)
	waiting.wantEnd()
	_ = waiting.nc.Close()
	if err := <-over; err != nil {
		t.Fatal(err)
	}
	s.wantClosed(reasonStop, reasonStop)
}

// TestSocketShutdownCuts: who is not done in time is cut and counted.
func TestSocketShutdownCuts(t *testing.T) {
	s := newSite(t, nil)
	waiting := s.dial()
	waiting.send(park())
	parked := <-s.parked
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.srv.Shutdown(ctx); err == nil || !strings.Contains(err.Error(), "1 connections were cut") {
		t.Fatalf("shutdown says %v", err)
	}
	waiting.wantEnd()
	parked.Reply(answerOf(parked))
	s.wantClosed(reasonStop)
}

// TestSocketRefusal: what came before bytes that cannot be served is answered, and the client reads it all before the end.
func TestSocketRefusal(t *testing.T) {
	s := newSite(t, nil)
	c := s.dial()
	good := append(frame(0, metadata()), frame(1, fetch(1<<20))...)
	bad := append(good, append([]byte{0x7f, 0xff, 0xff, 0xff}, make([]byte, 100_000)...)...) // what follows is never read as frames
	if _, err := c.nc.Write(bad); err != nil {
		t.Fatal(err)
	}
	c.want(0)
	wantPayload(t, c, 1<<20)
	if _, err := io.ReadFull(c.nc, make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Fatalf("%v instead of a clean end", err)
	}
	_ = c.nc.Close()
	s.wantClosed("refused frame")
	if s.log.count("2147483647") != 1 || s.log.count("client="+c.nc.LocalAddr().String()) != 1 {
		t.Fatalf("log %q", s.log.lines)
	}
}

// TestSocketParksBuffers: an idle connection gives its buffer back, and works on when it wakes.
func TestSocketParksBuffers(t *testing.T) {
	s := newSite(t, nil)
	var all []*caller
	for range 20 {
		c := s.dial()
		c.send(metadata(), metadata())
		c.want(0, 1)
		c.send(metadata(), metadata(), metadata()) // beyond the first bytes, which have no buffer
		c.want(2, 3, 4)
		all = append(all, c)
	}
	held := func() (n int) {
		for _, c := range s.srv.all() {
			if c.source.holds.Load() {
				n++
			}
		}
		return n
	}
	if held() != 20 {
		t.Fatalf("%d have buffers", held())
	}
	eventually(t, "nobody writes", func() bool { return s.pushing() == 0 })
	s.w.advance(7 * time.Second)
	eventually(t, "buffers are given back", func() bool { return held() == 0 })
	for _, c := range all {
		c.send(metadata(), write(-1, 40_000))
		c.want(5, 6)
	}
}
