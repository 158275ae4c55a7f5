package wire

import (
	"encoding/binary"

	"github.com/milena-io/milena/internal/kafka"
)

// NodeMessages is the one API of our own (architecture D11): what a node says to another node of its cluster that Kafka has
// no request for. The request carries a batch of Raft messages from one member to another; without any it only asks who is
// there. Every answer says that, by cluster, member and incarnation, so a sender notices by the first answer that it talks
// to a process that was started anew.
//
// It is answered, although Raft would do without: the answer is some hundred bytes for a batch, and it is how a wrong
// cluster or member is refused with a reason, and how a connection that went silent is told from one with nothing to say.
// An answer means taken, not done.
//
// Version 0, every version flexible:
//
//	request:  cluster id (compact nullable string)  from  to  messages (compact array of compact bytes)  tags
//	answer:   error code (2)  message (compact nullable string)  cluster id (compact nullable string)  member
//	          incarnation id (16)  started, ms since 1970 (8)  tags
//	member:   node id (4)  directory id (16)
//	tag 0, of both: a greeting (bytes), which nodes exchange before there is a quorum (quorum.Forming)
const nodeMessagesVersion = 0

func nodeMessages() API {
	return API{Key: kafka.KeyNodeMessages, Max: nodeMessagesVersion, Private: true}
}

// Member is a node and the directory of its metadata log: who takes part in Raft (KIP-853). NoNode and a zero directory
// stand for whoever it is.
type Member struct {
	Node      kafka.NodeID
	Directory kafka.DirectoryID
}

// NodeCall is a NodeMessages request to be sent.
type NodeCall struct {
	ClusterID string // empty when none is known yet
	From, To  Member
	Messages  [][]byte // empty to ask who is there
	Greeting  string   // empty for none
}

// AppendTo encodes it.
func (n *NodeCall) AppendTo(dst []byte) []byte {
	dst = appendOptional(dst, n.ClusterID)
	dst = appendMember(dst, n.From)
	dst = appendMember(dst, n.To)
	dst = appendCount(dst, len(n.Messages), true)
	for _, m := range n.Messages {
		dst = appendCount(dst, len(m), true)
		dst = append(dst, m...)
	}
	return appendGreeting(dst, n.Greeting)
}

// tagGreeting is the tag of a greeting.
const tagGreeting = 0

func appendGreeting(dst []byte, g string) []byte {
	if g == "" {
		return append(dst, 0)
	}
	dst = append(dst, 1, tagGreeting)
	return append(binary.AppendUvarint(dst, uint64(len(g))), g...)
}

// greeting reads the tags.
func (c *cursor) greeting() (g []byte) {
	for n := c.uvarint(); n > 0 && c.bad == ""; n-- {
		tag := c.uvarint()
		if value := c.take(int(c.uvarint())); tag == tagGreeting {
			g = value
		}
	}
	return g
}

// NodeRequest is a NodeMessages request, whose every bound was checked. It allocates nothing and aliases the frame.
type NodeRequest struct {
	ClusterID []byte
	From, To  Member
	Messages  int
	Greeting  []byte

	messages []byte // from the array's length field on
}

// ParseNodeRequest walks the body of a NodeMessages request and checks every length in it.
func ParseNodeRequest(body []byte) (NodeRequest, error) {
	c := cursor{b: body}
	r := NodeRequest{ClusterID: c.nullableText(true), From: c.member(), To: c.member()}
	r.messages = body[c.pos:]
	r.Messages = c.count(true)
	for n := r.Messages; n > 0 && c.bad == ""; n-- {
		c.text(true)
	}
	r.Greeting = c.greeting()
	if c.bad != "" {
		return NodeRequest{}, c.err("wire.NodeMessages")
	}
	return r, nil
}

// All yields the messages in order; they alias the frame.
func (r *NodeRequest) All(yield func([]byte) bool) {
	if r.Messages == 0 {
		return
	}
	c := cursor{b: r.messages}
	for n := c.count(true); n > 0; n-- {
		if !yield(c.text(true)) {
			return
		}
	}
}

// Identity is who a process is.
type Identity struct {
	ClusterID string // empty when it knows none yet
	Member
	Incarnation kafka.IncarnationID
	StartedMs   int64 // when the process started, by its own clock
}

// NodeAnswer is the answer to NodeMessages.
type NodeAnswer struct {
	ErrorCode kafka.ErrorCode
	Message   string // with an error
	Identity
	Greeting string // the answer to one, empty for none
}

// AppendTo implements Appender.
func (a *NodeAnswer) AppendTo(dst []byte) []byte {
	dst = appendInt16(dst, a.ErrorCode)
	dst = appendOptional(dst, a.Message)
	dst = appendOptional(dst, a.ClusterID)
	dst = appendMember(dst, a.Member)
	dst = append(dst, a.Incarnation[:]...)
	dst = appendInt64(dst, a.StartedMs)
	return appendGreeting(dst, a.Greeting)
}

// ParseNodeAnswer decodes the body of an answer; it aliases nothing.
func ParseNodeAnswer(body []byte) (NodeAnswer, error) {
	c := cursor{b: body}
	var a NodeAnswer
	a.ErrorCode = kafka.ErrorCode(c.int16())
	a.Message = string(c.nullableText(true))
	a.ClusterID = string(c.nullableText(true))
	a.Member = c.member()
	copy(a.Incarnation[:], c.take(len(a.Incarnation)))
	a.StartedMs = c.int64()
	a.Greeting = string(c.greeting())
	if c.bad != "" {
		return NodeAnswer{}, c.err("wire.NodeMessages answer")
	}
	return a, nil
}

func (c *cursor) member() Member {
	m := Member{Node: kafka.NodeID(c.int32())}
	copy(m.Directory[:], c.take(len(m.Directory)))
	return m
}

func appendMember(dst []byte, m Member) []byte {
	return append(appendInt32(dst, m.Node), m.Directory[:]...)
}

// appendOptional writes a compact nullable string; an empty one is null.
func appendOptional(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, 0)
	}
	return appendText(dst, s, true)
}
