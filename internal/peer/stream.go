package peer

import (
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// stream is one connection of a channel: the attempt, the greeting by ApiVersions, and then requests. It is the Sink of its
// connection, whose reader alone touches the framer.
type stream struct {
	channel *Channel
	conn    Conn
	framer  *wire.Framer
	begun   time.Duration

	// Under the channel's lock.
	is         standing
	setup      world.Deadline
	calls      []*call // sent and not answered, in order
	unanswered int     // bytes of them
	bytes      int64   // sent
	next       int32   // correlation id
	offers     map[kafka.APIKey]span
}

type standing uint8

const (
	dialing  standing = iota
	greeting          // it stands, and ApiVersions was asked
	ready
	gone
)

// span is a range of versions that the other node serves.
type span struct{ low, high int16 }

// newStream begins an attempt. Called with the channel's lock held.
func newStream(c *Channel) *stream {
	o := &c.p.o
	s := &stream{channel: c, framer: wire.NewAnswerFramer(o.Pool, greetingBytes), begun: o.World.Now().Mono}
	c.earliest = s.begun + o.Backoff
	limit := grown(o.Setup, o.SetupMax, c.failures)
	c.p.deadlines.Set(&s.setup, limit, func() {
		c.mu.Lock()
		what := "the connection did not come about"
		if s.is == greeting {
			what = "ApiVersions was not answered"
		}
		if s.is == ready {
			c.mu.Unlock()
			return
		}
		c.lose(s, Ending{How: Silent, Err: fmt.Errorf("%s within %v", what, limit)})
	})
	s.conn = o.Dialer.Dial(c.addr, s)
	return s
}

// greetingBytes is the longest answer to ApiVersions that is believed, before it is known who answers; Kafka's has 1 KiB.
const greetingBytes = 64 << 10

// room reports whether one more request may go out before answers come.
func (s *stream) room() bool {
	return s.unanswered == 0 || s.unanswered < s.channel.p.o.Unanswered
}

// agree chooses the newest version that both sides know.
func (s *stream) agree(k *call) (int16, error) {
	theirs, ok := s.offers[k.API.Key]
	version := min(k.API.Max, theirs.high)
	if !ok || version < max(k.API.Served, theirs.low) {
		return 0, k.unsupported(theirs, ok)
	}
	return version, nil
}

// request encodes a call into a buffer. Called without the lock.
func (p *Peers) request(k *call) *wire.Buffer {
	const likely = 1 << 10
	b := p.o.Pool.Get(likely)
	b.B = wire.BeginRequest(b.B, &k.API, k.version, k.correlation, p.o.ClientID)
	b.B = k.Body(b.B, k.version)
	wire.EndRequest(b.B)
	b.Recharge()
	return b
}

// send hands a request to the connection. Called with the lock held.
func (s *stream) send(k *call, frame *wire.Buffer) {
	k.is, k.size = sent, len(frame.B)
	s.bytes += int64(k.size)
	s.unanswered += k.size
	k.end = s.bytes
	s.calls = append(s.calls, k)
	s.conn.Send(frame)
}

// greet asks what the other node offers, which every connection begins with: it may have been upgraded since the last one.
func (s *stream) greet(version int16) {
	c := s.channel
	m := kmsg.NewPtrApiVersionsRequest()
	m.ClientSoftwareName, m.ClientSoftwareVersion = wire.NodeSoftware, c.p.o.Software
	k := &call{channel: c, version: version, Request: Request{
		API: c.p.apis[kafka.KeyApiVersions], Done: s.greeted,
		Body: func(dst []byte, version int16) []byte {
			m.SetVersion(version)
			return m.AppendTo(dst)
		},
	}}
	frame := c.p.request(k)
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.is != dialing && s.is != greeting {
		frame.Free()
		return
	}
	s.is = greeting
	s.next = 1
	s.send(k, frame)
}

// greeted takes the answer to ApiVersions.
func (s *stream) greeted(a Answer, err error) {
	if err != nil {
		return // the end of the connection is told to those who wait for it
	}
	defer a.Release()
	c := s.channel
	m := kmsg.NewPtrApiVersionsResponse()
	m.SetVersion(a.Version)
	body := a.Body
	unknown := len(body) >= 2 && kafka.ErrorCode(int16(body[0])<<8|int16(body[1])) == kafka.ErrUnsupportedVersion
	if unknown {
		m.SetVersion(0) // such an answer has the oldest form, whatever was asked (KIP-511)
	}
	if err = m.ReadFrom(body); err == nil && m.ErrorCode != 0 && !unknown {
		err = fmt.Errorf("ApiVersions is answered with %v", kafka.ErrorCode(m.ErrorCode))
	}
	if err != nil {
		c.mu.Lock()
		c.lose(s, Ending{How: Garbled, Err: err})
		return
	}
	offers := make(map[kafka.APIKey]span, len(m.ApiKeys))
	for _, k := range m.ApiKeys {
		offers[kafka.APIKey(k.ApiKey)] = span{k.MinVersion, k.MaxVersion}
	}
	if unknown && a.Version > 0 {
		s.greet(max(0, min(a.Version-1, offers[kafka.KeyApiVersions].high)))
		return
	}
	s.framer.SetMax(c.p.o.MaxAnswerBytes) // it is the reader who calls
	c.mu.Lock()
	if s.is == greeting && !unknown {
		s.offers, s.is = offers, ready
		c.failures = 0
		c.p.deadlines.Cancel(&s.setup)
	}
	c.push(false)
}

// Opened implements Sink.
func (s *stream) Opened() { s.greet(s.channel.p.apis[kafka.KeyApiVersions].Max) }

// Starved implements Sink.
func (s *stream) Starved(wake func()) bool {
	if !s.framer.Starved() {
		return false
	}
	s.framer.WhenFree(wake)
	return true
}

// Space implements Sink.
func (s *stream) Space() []byte { return s.framer.Space() }

// Filled implements Sink.
func (s *stream) Filled(n int) {
	frame, err := s.framer.Filled(n)
	switch {
	case err != nil:
		s.framer.Drop()
		s.garbled(err)
	case frame != nil:
		s.answer(frame)
	}
}

// Ended implements Sink.
func (s *stream) Ended(e Ending) {
	s.framer.Drop()
	s.channel.mu.Lock()
	s.channel.lose(s, e)
}

func (s *stream) garbled(err error) {
	s.channel.mu.Lock()
	s.channel.lose(s, Ending{How: Garbled, Err: err})
}

// answer takes a frame, which belongs to the oldest request without an answer.
func (s *stream) answer(frame *wire.Buffer) {
	c := s.channel
	c.mu.Lock() // a connection that was given up has no calls
	if len(s.calls) == 0 || s.calls[0].correlation != wire.AnswerOf(frame.B) {
		err := fmt.Errorf("an answer to request %d came, where none was due", wire.AnswerOf(frame.B))
		if len(s.calls) > 0 {
			err = fmt.Errorf("an answer to request %d came, where that to %d was due", wire.AnswerOf(frame.B), s.calls[0].correlation)
		}
		c.mu.Unlock()
		frame.Free()
		s.garbled(err)
		return
	}
	k := s.calls[0]
	body, err := wire.AnswerBody(&k.API, k.version, frame.B)
	if err != nil {
		c.mu.Unlock()
		frame.Free()
		s.garbled(err)
		return
	}
	s.calls = slices.Delete(s.calls, 0, 1)
	s.unanswered -= k.size
	done, version := k.Done, k.version
	if c.finish(k) {
		c.recycle(k)
	}
	c.mu.Unlock()
	done(Answer{Version: version, Body: body, frame: frame}, nil)
	c.mu.Lock()
	c.push(false)
}
