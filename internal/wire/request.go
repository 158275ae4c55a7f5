// Package wire is Kafka's protocol between the socket and the handlers: frames, headers, the bounds walk that every
// body passes before a generic decoder sees it, our own walk of Produce and encoder of Fetch, the table of APIs, and
// the Request and Reply that travel between listen and broker.
//
// listen and broker call it. It never does IO and never decides anything about topics or partitions.
//
// Who may keep a slice: Body is a handler's own. Produce, Node and Raw alias the pooled frame, which goes back to its pool when
// the Reply has been given; a handler that needs those bytes longer copies them. Fetch aliases it, too, but only until the
// handler returns, since a fetch may wait long for its answer. Once Reply may have been called the Request is not the
// handler's any more: listen serves another request with it. What a Reply holds is wire's until its Release is called, or
// until it was encoded, which is before the call of Reply returns, for answers without one.
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
	ClientID      string         // "" when null
	Body          kmsg.Request   // nil for Produce, Fetch and NodeMessages
	Produce       ProduceRequest // of Produce
	Fetch         FetchRequest   // of Fetch
	Node          NodeRequest    // of NodeMessages
	Raw           []byte         // the body's bytes, for Produce only; aliases the frame
	Arrived       kafka.Instant
	Timeline      Timeline
	// Reply gives the answer, exactly once, from any goroutine, never with a lock held that Reply's path could want.
	Reply func(Reply)
}

// Reply is an answer. Exactly one of Message, Body and Payload is set unless None or Close is.
type Reply struct {
	Message  kmsg.Response // encoded with the request's version by wire
	Body     Appender      // a body that encodes itself, in the request's version (ProduceAnswer)
	Payload  *Payload      // a body encoded by the handler, with file sections (Fetch)
	None     bool          // acks=0: nothing is written
	Close    bool          // close the connection, after the answer if there is one
	Throttle time.Duration // mute the connection for so long after answering (KIP-219)
}

// Appender is a response body that encodes itself.
type Appender interface {
	AppendTo(dst []byte) []byte
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

// Size returns how many bytes the piece has.
func (p *Piece) Size() int64 {
	if p.File != nil {
		return p.Len
	}
	return int64(len(p.Bytes))
}

// Size returns how many bytes the body has.
func (p *Payload) Size() int64 {
	var n int64
	for i := range p.Pieces {
		n += p.Pieces[i].Size()
	}
	return n
}

// Handler serves one API. It must not block: it replies at once or registers a continuation.
type Handler func(*Request)

// Timeline is a request's stages (architecture D12), each the monotonic time when the stage was over; zero when the
// request did not pass it. A request is decoded as soon as it arrived; Queued ends when those before it on the connection,
// a throttle and the limits let it be admitted. Appended, Flushed and Replicated are the handler's to fill in.
// Answered is when Reply was called.
type Timeline struct {
	Queued, Decoded, Appended, Flushed, Replicated, Answered, Sent time.Duration
}
