// Package peer is the outgoing side of what nodes say to each other: connections that this node opens, and what it asks on
// them. The answering side is listen.
//
// node makes one Peers and hands out Channels: one for each purpose and address, so that heartbeats never stand behind a
// fetch of ten megabytes. Fetchers, quorum's transport and the broker's talk with the controller ask on them. The package
// decides nothing about the cluster: it carries questions, and says how a connection ended (How), from which others conclude
// what became of the process at the other end; the Prober does so for one address.
//
// Under a Channel lies a Dialer: TCP, whose connections have a goroutine that reads and, while there is something to
// write, one that writes; or a simulation's network, where all of it is events.
//
// Invariants: requests of a channel go out in the order in which they were asked, and are answered in that order. Each is
// answered exactly once, by its answer or by an error that says whether the other node may have got it (MaybeSent). Nothing
// is called back inline, from Ask, Close or Dial, but Request.Body; and nothing with a lock held. One silent request ends its
// connection, since whatever stands behind it would wait as well. Memory for answers is charged to the Pool's budget, which is
// to be one of its own: answers that waited for memory which clients' requests hold, that wait for replication, might wait for
// ever.
//
// Who owns bytes: Conn.Send takes over its buffer. An answer comes as a whole frame in a pooled buffer, which its receiver
// reads and even writes in place and gives back by Answer.Release.
package peer

import (
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"syscall"

	"github.com/milena-io/milena/internal/wire"
)

// Dialer opens connections to other nodes.
type Dialer interface {
	// Dial begins to connect to host:port. It returns at once and never calls the sink before it has returned to whoever
	// runs the caller's event. The attempt has no end of its own but what the network tells; who is tired of it closes it.
	Dial(addr string, to Sink) Conn
}

// Conn is a connection that stands or is being opened. Its methods don't block and call nobody back.
type Conn interface {
	// Send takes over b and writes it behind what was sent before. Only after Sink.Opened.
	Send(b *wire.Buffer)
	// Written returns how many bytes may have left this process.
	Written() int64
	// Close ends the connection, or the attempt, and drops what was not written. Sink.Ended still comes.
	Close()
}

// Sink takes what comes in on a connection. Its methods are called one after another, without a lock.
type Sink interface {
	// Opened tells that the connection stands. It comes first.
	Opened()
	// Starved reports that there is no memory for more bytes; wake is called when it is worth asking
	// again.
	Starved(wake func()) bool
	// Space returns where the next bytes go; it is never empty.
	Space() []byte
	// Filled tells that the first n bytes of Space are there.
	Filled(n int)
	// Ended comes once and last, also when the connection never stood or was closed by this side.
	Ended(e Ending)
}

// How is what is known of the other end when a connection ends.
type How uint8

// The ways in which connections end.
const (
	// Silent: no answer in time, or no way there. Nothing is known of the process.
	Silent How = iota
	// Refused: its machine answers that nobody listens there. The process that did is gone.
	Refused
	// Broken: it stood and was reset or closed by the other side. The process may be dead, or tired of us; a probe tells.
	Broken
	// Garbled: what came is not an answer to what was asked. Something else lives there, or one side has a bug.
	Garbled
	// Closed: by this side.
	Closed
)

// String returns the word for it.
func (h How) String() string {
	return [...]string{"silent", "refused", "broken", "garbled", "closed"}[h]
}

// Ending says how a connection, or an attempt at one, ended.
type Ending struct {
	How   How
	Stood bool // requests could be sent; false for an attempt that failed
	Err   error
}

// String tells it in words.
func (e Ending) String() string {
	if e.Err == nil {
		return e.How.String()
	}
	return fmt.Sprintf("%v: %v", e.How, e.Err)
}

// What Windows answers where others answer ECONNREFUSED: WSAECONNREFUSED.
const windowsRefused = syscall.Errno(10061)

// refusing reports whether a machine answered that nobody listens at a port.
func refusing(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || runtime.GOOS == "windows" && errors.Is(err, windowsRefused)
}

// endingOf reads the error of a socket that stood.
func endingOf(err error) Ending {
	var slow net.Error
	switch {
	case errors.Is(err, net.ErrClosed):
		return Ending{How: Closed}
	case errors.Is(err, io.EOF):
		return Ending{How: Broken, Err: errors.New("the other side closed the connection")}
	case errors.As(err, &slow) && slow.Timeout(), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH),
		errors.Is(err, syscall.ENETDOWN):
		return Ending{How: Silent, Err: err} // keep-alives or retransmissions found nobody
	}
	return Ending{How: Broken, Err: err}
}
