package peer

import (
	"bufio"
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"

	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// readerBytes is how much is read from a socket at once: many small answers fit, and a larger one's body is read straight
// into its frame.
const readerBytes = 16 << 10

// TCP is the Dialer of production. TCP_NODELAY and keep-alives are net's defaults.
type TCP struct{ World world.World }

// Dial implements Dialer.
func (t *TCP) Dial(addr string, to Sink) Conn {
	ctx, cancel := context.WithCancel(context.Background())
	c := &tcpConn{world: t.World, addr: addr, to: to, cancel: cancel, woken: make(chan struct{}, 1)}
	c.write = c.writeAll
	t.World.Go(func() { c.run(ctx) })
	return c
}

// tcpConn is a connection by TCP: run reads, writeAll writes, each on a goroutine of its own.
type tcpConn struct {
	world   world.World
	addr    string
	to      Sink
	cancel  context.CancelFunc // of the attempt
	write   func()             // writeAll, made once: a bound method is allocated
	written atomic.Int64
	woken   chan struct{} // memory, or the end; room for one

	mu      sync.Mutex
	nc      net.Conn // nil until it stands
	closed  bool
	writing bool // writeAll runs
	queue   []*wire.Buffer

	out     []*wire.Buffer // of writeAll: what it took of the queue
	vectors net.Buffers
}

func (c *tcpConn) run(ctx context.Context) {
	nc, err := c.connect(ctx)
	if err != nil {
		how := Silent
		switch {
		case ctx.Err() != nil:
			how = Closed
		case refusing(err):
			how = Refused
		}
		c.Close()
		c.to.Ended(Ending{How: how, Err: err})
		return
	}
	c.mu.Lock()
	c.nc = nc
	if c.closed {
		_ = nc.Close() // nobody wants it any more
	}
	c.mu.Unlock()
	c.to.Opened()
	err = c.read(nc)
	c.Close()
	c.to.Ended(endingOf(err))
}

// connect tries every address of a host at once, and takes the first that answers. A host refuses only when each of its
// addresses does: behind one that is silent the process may live.
func (c *tcpConn) connect(ctx context.Context) (net.Conn, error) {
	host, port, err := net.SplitHostPort(c.addr)
	if err != nil {
		return nil, err
	}
	ips, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return nil, err
	}
	type result struct {
		nc  net.Conn
		err error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the attempts that lost
	results := make(chan result, len(ips))
	for _, ip := range ips {
		c.world.Go(func() {
			d := net.Dialer{Control: control}
			nc, err := d.DialContext(ctx, "tcp", net.JoinHostPort(ip, port))
			results <- result{nc, err}
		})
	}
	var silent, refused error
	for i := range ips {
		r := <-results
		if r.err == nil {
			c.world.Go(func() { // attempts that stood nevertheless
				for range len(ips) - i - 1 {
					if late := <-results; late.nc != nil {
						_ = late.nc.Close()
					}
				}
			})
			return r.nc, nil
		}
		if refusing(r.err) {
			refused = r.err
		} else {
			silent = errors.Join(silent, r.err)
		}
	}
	if silent != nil {
		return nil, silent
	}
	return nil, refused
}

// read hands everything to the sink until the connection ends.
func (c *tcpConn) read(nc net.Conn) error {
	in := bufio.NewReaderSize(nc, readerBytes)
	wake := c.wake // made once: a bound method is allocated
	for {
		for c.to.Starved(wake) {
			if <-c.woken; c.isClosed() {
				return net.ErrClosed
			}
		}
		n, err := in.Read(c.to.Space())
		if n > 0 {
			c.to.Filled(n)
		}
		if err != nil {
			return err
		}
	}
}

func (c *tcpConn) wake() {
	select {
	case c.woken <- struct{}{}:
	default:
	}
}

func (c *tcpConn) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// Send implements Conn.
func (c *tcpConn) Send(b *wire.Buffer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		b.Free()
		return
	}
	c.queue = append(c.queue, b)
	if !c.writing {
		c.writing = true
		c.world.Go(c.write)
	}
}

// Written implements Conn.
func (c *tcpConn) Written() int64 { return c.written.Load() }

// Close implements Conn.
func (c *tcpConn) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.cancel()
	c.wake()
	if c.nc != nil {
		_ = c.nc.Close() // the connection is given up either way; who reads and who writes notice
	}
	for _, b := range c.queue {
		b.Free()
	}
	c.queue = nil
}

// writeAll writes until nothing is left. What stands ready together goes out in one call.
func (c *tcpConn) writeAll() {
	for {
		c.mu.Lock()
		if len(c.queue) == 0 || c.closed {
			c.writing = false
			c.mu.Unlock()
			return
		}
		c.out, c.queue = c.queue, c.out[:0]
		nc := c.nc
		c.mu.Unlock()
		all := c.vectors[:0]
		var size int64
		for _, b := range c.out {
			all = append(all, b.B)
			size += int64(len(b.B))
		}
		c.written.Add(size) // before: a write that fails may have sent some
		c.vectors = all
		_, err := c.vectors.WriteTo(nc)
		clear(all)
		c.vectors = all
		for _, b := range c.out {
			b.Free()
		}
		clear(c.out)
		if err != nil {
			_ = nc.Close() // the reader tells how it ended
		}
	}
}
