package listen

import (
	"github.com/milena-io/milena/internal/wire"
)

// Observer is told what happens on connections, for metrics and slow-request reports. It is called from many
// goroutines and must not block.
type Observer interface {
	Opened(peer wire.Peer)
	// Closed tells why: "client" when the client closed, otherwise a word for the reason.
	Closed(peer wire.Peer, reason string)
	// Refused tells of input that closed its connection: "frame", "header", "Fetch", "limit", ...
	Refused(peer wire.Peer, what string)
	Received(peer wire.Peer, bytes int)
	Sent(peer wire.Peer, bytes int)
	// Done is called once a request, when its answer was written or nothing is to be written. Its Timeline is complete.
	Done(r *wire.Request, requestBytes, responseBytes int64)
}

// Unobserved is the Observer that does nothing.
type Unobserved struct{}

// Opened does nothing.
func (Unobserved) Opened(wire.Peer) {}

// Closed does nothing.
func (Unobserved) Closed(wire.Peer, string) {}

// Refused does nothing.
func (Unobserved) Refused(wire.Peer, string) {}

// Received does nothing.
func (Unobserved) Received(wire.Peer, int) {}

// Sent does nothing.
func (Unobserved) Sent(wire.Peer, int) {}

// Done does nothing.
func (Unobserved) Done(*wire.Request, int64, int64) {}
