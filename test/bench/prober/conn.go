package prober

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Conn is a connection over which one request at a time is asked.
type Conn struct {
	net.Conn
	in   *bufio.Reader
	buf  []byte
	next int32
}

// Dial connects.
func Dial(ctx context.Context, addr string) (*Conn, error) {
	d := net.Dialer{Timeout: time.Second}
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &Conn{Conn: c, in: bufio.NewReader(c)}, nil
}

// Close ends it; nil has ended.
func (c *Conn) Close() {
	if c != nil {
		_ = c.Conn.Close()
	}
}

// longest bounds an answer.
const longest = 64 << 20

// Ask asks one request and waits for its answer.
func (c *Conn) Ask(req kmsg.Request, within time.Duration) (kmsg.Response, error) {
	if err := c.SetDeadline(time.Now().Add(within)); err != nil {
		return nil, err
	}
	c.next++
	c.buf = kmsg.NewRequestFormatter(kmsg.FormatterClientID("prober")).AppendRequest(c.buf[:0], req, c.next)
	if _, err := c.Write(c.buf); err != nil {
		return nil, err
	}
	var head [8]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint32(head[:])) - 4
	if n < 0 || n > longest {
		return nil, fmt.Errorf("an answer of %d bytes", n)
	}
	if got := int32(binary.BigEndian.Uint32(head[4:])); got != c.next {
		return nil, fmt.Errorf("an answer to request %d, not %d", got, c.next)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(c.in, body); err != nil {
		return nil, err
	}
	resp := req.ResponseKind()
	if resp.IsFlexible() && resp.Key() != 18 {
		if len(body) == 0 || body[0] != 0 {
			return nil, errors.New("tags in the head of an answer")
		}
		body = body[1:]
	}
	return resp, resp.ReadFrom(body)
}

// Ask asks one request over a connection of its own.
func Ask(ctx context.Context, addr string, req kmsg.Request) (kmsg.Response, error) {
	c, err := Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.Ask(req, 30*time.Second)
}
