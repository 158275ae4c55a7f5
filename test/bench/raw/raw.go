// Package raw is the client of the benchmarks that measure a broker and not a client: connections that send frames
// encoded beforehand and look at no more of an answer than its error code. It speaks the same bytes to every broker, and
// to the bare loops that stand for what the kernel alone takes.
//
// The bench programs call it. It retries nothing: an error ends a run.
package raw

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
)

// conn is one connection.
type conn struct {
	net.Conn
	in  *bufio.Reader
	buf []byte // the body of the answer read last
}

// dial connects to a broker. The buffers of the socket are the kernel's own choice.
func dial(addr string) (*conn, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, in: bufio.NewReaderSize(c, 64<<10)}, nil
}

// longest bounds an answer: a fetch of 64 MiB.
const longest = 64 << 20

// answer reads one answer, which stands in the connection's buffer until the next.
func (c *conn) answer() ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(c.in, size[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint32(size[:]))
	if n < 4 || n > longest {
		return nil, fmt.Errorf("an answer of %d bytes", n)
	}
	if cap(c.buf) < n {
		c.buf = make([]byte, n)
	}
	c.buf = c.buf[:n]
	_, err := io.ReadFull(c.in, c.buf)
	return c.buf, err
}

// frame puts the length and the request header of version 1 before a body.
func frame(key, version int16, body []byte) []byte {
	const client = "bench"
	out := make([]byte, 4, 4+2+2+4+2+len(client)+len(body))
	out = binary.BigEndian.AppendUint16(out, uint16(key))
	out = binary.BigEndian.AppendUint16(out, uint16(version))
	out = binary.BigEndian.AppendUint32(out, 0) // correlation id: answers come in order
	out = binary.BigEndian.AppendUint16(out, uint16(len(client)))
	out = append(out, client...)
	out = append(out, body...)
	binary.BigEndian.PutUint32(out, uint32(len(out)-4))
	return out
}

// fields reads an answer's fields, as far as they are there.
type fields struct {
	b     []byte
	short bool
}

func (f *fields) take(n int) []byte {
	if n < 0 || len(f.b) < n {
		f.short = true
		return make([]byte, max(n, 0)&15)
	}
	out := f.b[:n]
	f.b = f.b[n:]
	return out
}

func (f *fields) int16() int16 {
	if b := f.take(2); len(b) == 2 {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (f *fields) int32() int32 {
	if b := f.take(4); len(b) == 4 {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (f *fields) int64() int64 {
	if b := f.take(8); len(b) == 8 {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}
