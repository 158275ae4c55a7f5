package sim

import (
	"encoding/binary"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/peer"
	"github.com/milena-io/milena/internal/world"
)

// link is a client's connection to one node: made when something is asked, with requests in order, each of which is told once
// what became of it. It speaks the protocol with an encoder that is not the node's.
type link struct {
	c       *client
	to      kafka.NodeID
	conn    peer.Conn // nil while there is none
	up      bool
	in      []byte
	next    int32
	pending []*call
}

// call is a request under way.
type call struct {
	correlation int32
	frame       []byte // until it is sent
	response    kmsg.Response
	done        func(kmsg.Response, history.Transport)
	timer       world.Timer
}

var formatter = kmsg.NewRequestFormatter(kmsg.FormatterClientID("sim"))

// ask sends a request. done is called once, later: with the answer, or with nil and what is known of the request's way.
func (l *link) ask(req kmsg.Request, timeout time.Duration, done func(kmsg.Response, history.Transport)) {
	l.next++
	k := &call{correlation: l.next, frame: formatter.AppendRequest(nil, req, l.next), response: req.ResponseKind(), done: done}
	k.response.SetVersion(req.GetVersion())
	l.pending = append(l.pending, k)
	k.timer = l.c.r.w.After(timeout, func() { l.end(history.Silent) })
	switch {
	case l.conn == nil:
		e := &ear{l: l}
		e.conn = l.c.r.net.Dialer(l.c.host).Dial(hostOf(l.to)+":"+clients, e)
		l.conn = e.conn
	case l.up:
		l.send(k)
	}
}

func (l *link) send(k *call) {
	b := l.c.r.crowd.pool.Get(len(k.frame))
	b.B = append(b.B, k.frame...)
	k.frame = nil
	l.conn.Send(b)
}

// end gives the connection up: who waits is told that no answer comes.
func (l *link) end(why history.Transport) {
	conn, lost := l.conn, l.pending
	l.conn, l.up, l.in, l.pending = nil, false, nil, nil
	if conn != nil {
		conn.Close()
	}
	for _, k := range lost {
		k.timer.Stop()
		how := why
		if k.frame != nil {
			how = history.Unsent
		}
		k.done(nil, how)
	}
}

// ear is what hears of one connection of a link; once that is given up it is deaf.
type ear struct {
	l     *link
	conn  peer.Conn
	space [4096]byte
}

func (e *ear) deaf() bool { return e.l.conn != e.conn }

// Opened implements peer.Sink.
func (e *ear) Opened() {
	if e.deaf() {
		return
	}
	e.l.up = true
	for _, k := range e.l.pending {
		e.l.send(k)
	}
}

// Starved implements peer.Sink.
func (e *ear) Starved(func()) bool { return false }

// Space implements peer.Sink.
func (e *ear) Space() []byte { return e.space[:] }

// Filled implements peer.Sink.
func (e *ear) Filled(n int) {
	l := e.l
	if e.deaf() {
		return
	}
	l.c.r.trace.bytes(e.space[:n])
	l.in = append(l.in, e.space[:n]...)
	for len(l.in) >= 4 && !e.deaf() {
		size := int(binary.BigEndian.Uint32(l.in))
		if len(l.in) < 4+size {
			return
		}
		frame := l.in[4 : 4+size]
		l.in = l.in[4+size:]
		l.answered(frame)
	}
}

// Ended implements peer.Sink.
func (e *ear) Ended(peer.Ending) {
	if !e.deaf() {
		e.l.end(history.Cut)
	}
}

// answered hands an answer to whoever asked.
func (l *link) answered(frame []byte) {
	r := l.c.r
	if len(l.pending) == 0 {
		r.broken("protocol", "%s got an answer from node %d that it didn't ask for", l.c.host, l.to)
		return
	}
	k := l.pending[0]
	l.pending = l.pending[1:]
	k.timer.Stop()
	if got := int32(binary.BigEndian.Uint32(frame)); got != k.correlation {
		r.broken("protocol", "%s got answer %d from node %d where %d was due", l.c.host, got, l.to, k.correlation)
		l.end(history.Cut)
		k.done(nil, history.Cut)
		return
	}
	body := frame[4:]
	if k.response.IsFlexible() && k.response.Key() != int16(kmsg.ApiVersions) {
		body = body[1:] // no tags in the headers of answers
	}
	if err := k.response.ReadFrom(body); err != nil {
		r.broken("protocol", "%s cannot read an answer of node %d to %T: %v", l.c.host, l.to, k.response, err)
		k.done(nil, history.Cut)
		return
	}
	k.done(k.response, history.Answered)
}
