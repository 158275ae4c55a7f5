// Package wire is Kafka's protocol between the socket and the handlers: frames, headers, the bounds walk that every
// body passes before a generic decoder sees it, our own walk of Produce and encoder of Fetch, the table of APIs, and
// the Request and Reply that travel between listen and broker.
//
// listen and broker call it. It never does IO and never decides anything about topics or partitions.
//
// Who may keep a slice: a Request and everything decoded from it alias the pooled frame, which goes back to its pool
// when the Reply has been given; a handler that needs bytes longer copies them.
package wire

import (
	"net/netip"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
)

// Principal is who sent a request, such as User:ANONYMOUS.
type Principal struct {
	Type string // "User"
	Name string
}

// Anonymous is everybody on a PLAINTEXT listener.
var Anonymous = Principal{Type: "User", Name: "ANONYMOUS"}

// String returns Type:Name.
func (p Principal) String() string { return p.Type + ":" + p.Name }

// Peer is what the connection knows of the other side; it is fixed when a request is admitted (architecture D7).
type Peer struct {
	Listener        string // listener name, upper case
	Protocol        string // PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL
	Addr            netip.AddrPort
	Principal       Principal
	ConnectionID    uint64
	SoftwareName    string // from ApiVersions v3+
	SoftwareVersion string
}

// Request is one decoded request on its way through the node (architecture D15).
type Request struct {
	Peer          Peer
	Key           kafka.APIKey
	Version       int16
	CorrelationID int32
	ClientID      string       // "" when null
	Body          kmsg.Request // nil for Produce, whose frame is walked by ParseProduce
	Raw           []byte       // the body's bytes; aliases the frame
	Arrived       kafka.Instant
	Timeline      Timeline
	// Reply gives the answer, exactly once, from any goroutine, never with a lock held that Reply's path could want.
	Reply func(Reply)
}

// Reply is an answer. Exactly one of Message and Payload is set unless None or Close is.
type Reply struct {
	Message  kmsg.Response // encoded with the request's version by wire
	Payload  *Payload      // a body encoded by the handler, with file sections (Fetch)
	None     bool          // acks=0: nothing is written
	Close    bool          // close the connection, after the answer if there is one
	Throttle time.Duration // mute the connection for so long after answering (KIP-219)
}

// Payload is a response body in pieces, in order.
type Payload struct {
	Pieces  []Piece
	Release func() // called once when the bytes were written or given up; may be nil
}

// Piece is either bytes or a section of a file.
type Piece struct {
	Bytes []byte
	File  disk.File // nil for bytes
	Pos   int64
	Len   int64
}

// Handler serves one API. It must not block: it replies at once or registers a continuation.
type Handler func(*Request)

// Timeline is a request's stages (architecture D12), each the monotonic time when the stage was over; zero when the
// request did not pass it.
type Timeline struct {
	Queued, Decoded, Appended, Flushed, Replicated, Sent time.Duration
}
