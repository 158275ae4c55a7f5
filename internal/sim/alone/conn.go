package alone

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/listen"
)

// conn is one client's connection: it comes back by itself after it broke, and hands each answer to whoever asked. A
// request whose connection broke is answered with nil.
type conn struct {
	r       *run
	id      uint64
	link    *listen.Link
	in      []byte
	next    int32
	pending []call // in order: answers come in the order of requests
	up      func() // told when the connection is there
	opening bool
}

type call struct {
	correlation int32
	response    kmsg.Response
	done        func(kmsg.Response)
}

func newConn(r *run, up func()) *conn {
	c := &conn{r: r, id: uint64(len(r.conns) + 1), up: up}
	r.conns = append(r.conns, c)
	c.reopen()
	return c
}

// reopen connects as soon as the node serves.
func (c *conn) reopen() {
	if c.opening {
		return
	}
	c.opening = true
	c.r.w.After(20*time.Millisecond, func() {
		c.opening = false
		if !c.r.ready {
			c.reopen()
			return
		}
		var link *listen.Link
		link = c.r.node.Connect(peer(c.id), func(b []byte) {
			if c.link == link {
				c.received(b)
			}
		})
		c.link, c.in = link, nil
		c.up()
	})
}

// broken ends the connection: whoever waits is told that no answer comes.
func (c *conn) broken() {
	if c.link == nil {
		return
	}
	c.link = nil
	lost := c.pending
	c.pending = nil
	for _, l := range lost {
		l.done(nil)
	}
	c.reopen()
}

var formatter = kmsg.NewRequestFormatter(kmsg.FormatterClientID("sim"))

// ask sends a request; done is called once. It reports false, and calls nothing, while there is no connection.
func (c *conn) ask(req kmsg.Request, done func(kmsg.Response)) bool {
	if c.link == nil || c.link.Ended() {
		if c.link != nil {
			c.broken()
		}
		return false
	}
	c.next++
	resp := req.ResponseKind()
	resp.SetVersion(req.GetVersion())
	c.pending = append(c.pending, call{c.next, resp, done})
	c.link.Send(formatter.AppendRequest(nil, req, c.next))
	return true
}

func (c *conn) received(b []byte) {
	c.r.note(fmt.Sprintf("%d %x", c.id, b))
	if len(b) == 0 { // the node closed the connection
		c.broken()
		return
	}
	c.in = append(c.in, b...)
	for len(c.in) >= 4 {
		n := int(binary.BigEndian.Uint32(c.in))
		if len(c.in) < 4+n {
			return
		}
		frame := c.in[4 : 4+n]
		c.in = c.in[4+n:]
		c.r.result.Frames++
		c.answered(frame)
	}
}

func (c *conn) answered(frame []byte) {
	if len(c.pending) == 0 {
		c.r.problem("connection %d: an answer that nobody asked for", c.id)
		return
	}
	p := c.pending[0]
	c.pending = c.pending[1:]
	if got := int32(binary.BigEndian.Uint32(frame)); got != p.correlation {
		c.r.problem("connection %d: answer %d where %d was due", c.id, got, p.correlation)
		return
	}
	body := frame[4:]
	if p.response.IsFlexible() && p.response.Key() != int16(kmsg.ApiVersions) {
		body = body[1:] // no tags in our response headers
	}
	if err := p.response.ReadFrom(body); err != nil {
		c.r.problem("connection %d: an answer to %T does not parse: %v", c.id, p.response, err)
		return
	}
	p.done(p.response)
}
