package peer_test

import (
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/peer"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// echo is a Dialer whose connections answer everything with the same bytes, inline, so that only the channel is measured.
type echo struct {
	sink    peer.Sink
	written int64
	stuck   bool // nothing more is written
}

func (e *echo) Dial(_ string, to peer.Sink) peer.Conn { e.sink = to; return e }
func (e *echo) Written() int64                        { return e.written }
func (e *echo) Close()                                {}
func (e *echo) Send(b *wire.Buffer) {
	if !e.stuck {
		e.written += int64(len(b.B))
	}
	b.Free()
}

func (e *echo) give(b []byte) {
	for len(b) > 0 {
		n := copy(e.sink.Space(), b)
		b = b[n:]
		e.sink.Filled(n)
	}
}

// TestAskingAllocatesNothing, in the steady state: the request, its deadline, its answer and the frame.
func TestAskingAllocatesNothing(t *testing.T) {
	e := &echo{}
	o := peer.DefaultOptions()
	o.World, o.Dialer, o.Pool = world.NewReal(), e, wire.NewPool(nil, false)
	p := peer.New(o)
	c := p.Channel("b:1", nil)
	defer c.Close()
	api, _ := p.API(kafka.KeyFetch)
	body, answered := fetchBody(1)(nil, 18), 0
	r := peer.Request{
		API: api, Timeout: time.Minute,
		Body: func(dst []byte, _ int16) []byte { return append(dst, body...) },
		Done: func(a peer.Answer, err error) { answered++; a.Release() },
	}
	c.Ask(r)
	e.sink.Opened()
	e.give(framed(0, versions(sessions(o.World, (&town{}).handlers("b")).Table)))
	answer := framed(1, append([]byte{0}, make([]byte, 50_000)...))
	next := byte(1)
	e.give(answer)
	run := func() {
		next++
		answer[7] = next
		c.Ask(r)
		e.give(answer)
	}
	for range 5 {
		run()
	}
	if n := testing.AllocsPerRun(200, run); n > 0 && !raced {
		t.Errorf("%v allocations per request", n)
	}
	if answered < 200 {
		t.Fatalf("%d answered", answered)
	}
}
