package listen

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/inflight"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/wire"
)

// call is one request on its way through a session, and then its answer.
type call struct {
	session  *Session
	request  wire.Request
	decoded  wire.Decoded
	arrival  inflight.Arrival
	id       inflight.ID
	frame    *wire.Buffer // of Produce, Fetch and NodeMessages, which alias it; nil for others, whose frame is freed when it is decoded
	replier  func(wire.Reply)
	answered bool
	answer   Answer
	memory   int64 // of the answer
}

// Answer is an answer to be written; Session.Written gives it back.
type Answer struct {
	Out  wire.Outgoing
	call *call
}

// newCall makes a call of a frame. On an error the frame is freed.
func newCall(s *Session, now kafka.Instant, frame *wire.Buffer) (*call, error) {
	c, ok := s.cfg.calls.Get().(*call)
	if !ok {
		c = &call{}
		c.replier = c.reply // made once: a bound method is allocated
	}
	c.session, c.answered = s, false
	var err error
	c.decoded, err = s.cfg.Table.Decode(frame.B, s.cfg.Budget.TryTake)
	d := &c.decoded
	if err != nil {
		s.cfg.Budget.Take(-d.Memory)
		frame.Free()
		return nil, err
	}
	if v, ok := d.Body.(*kmsg.ApiVersionsRequest); ok && v.Version >= 3 && // KIP-511
		wire.ValidSoftware(v.ClientSoftwareName) && wire.ValidSoftware(v.ClientSoftwareVersion) {
		s.peer.SoftwareName, s.peer.SoftwareVersion = v.ClientSoftwareName, v.ClientSoftwareVersion
	}
	if string(d.ClientID) != s.clientID {
		s.clientID = string(d.ClientID)
	}
	c.request = wire.Request{
		Peer: s.peer, Key: d.Key, Version: d.Version, CorrelationID: d.CorrelationID, ClientID: s.clientID,
		Body: d.Body, Produce: d.Produce, Fetch: d.Fetch, Node: d.Node, Arrived: now, Reply: c.replier,
	}
	c.request.Timeline.Decoded = s.world.Now().Mono
	c.arrival = arrivalOf(d, int64(len(frame.B)))
	switch d.Key {
	case kafka.KeyProduce:
		c.frame, c.request.Raw = frame, d.Raw
	case kafka.KeyFetch, kafka.KeyNodeMessages:
		c.frame = frame
	default:
		frame.Free()
		d.ClientID, d.Raw = nil, nil
	}
	return c, nil
}

// recycle ends a call that was answered. Only those of Produce and Fetch serve again, whose handlers don't touch a request
// once they may have replied; nobody else does, but nothing would be gained.
func (c *call) recycle() {
	if c.request.Key != kafka.KeyProduce && c.request.Key != kafka.KeyFetch {
		return
	}
	cfg := c.session.cfg
	*c = call{replier: c.replier}
	cfg.calls.Put(c)
}

// arrivalOf classifies a request (architecture D7).
func arrivalOf(d *wire.Decoded, size int64) inflight.Arrival {
	a := inflight.Arrival{Bytes: size}
	switch d.Key {
	case kafka.KeyProduce:
		a.Class, a.NoReply = inflight.Produce, d.Produce.Acks == 0
	case kafka.KeyFetch:
		if d.Fetch.ReplicaID >= 0 {
			a.Class = inflight.ReplicaFetch
		}
	case kafka.KeyApiVersions, kafka.KeySaslHandshake, kafka.KeySaslAuthenticate:
		a.Login = true
	}
	return a
}

// reply is the Reply of the call's request.
func (c *call) reply(r wire.Reply) {
	s := c.session
	silent, some := r.None || c.arrival.NoReply, r.Message != nil || r.Body != nil || r.Payload != nil
	if !silent && !some && !r.Close { // the arguments of must.Hold would be allocated with each answer
		must.Hold(false, "%v is answered with nothing", c.request.Key)
	}
	var out wire.Outgoing
	switch {
	case !silent && some:
		out = s.cfg.Table.Encode(s.cfg.Pool, &c.decoded, r)
	case r.Payload != nil && r.Payload.Release != nil:
		r.Payload.Release()
	}
	c.discard()
	now := s.world.Now()
	c.request.Timeline.Answered = now.Mono
	s.mu.Lock()
	if c.answered {
		must.Hold(false, "%v %d of %v is answered twice", c.request.Key, c.request.CorrelationID, c.request.Peer.Addr)
	}
	c.answered = true
	dead, written := s.is.dead, out.Head != nil
	var wake signals
	if !dead && written {
		c.answer, c.memory = Answer{Out: out, call: c}, out.Memory()
	}
	if !dead {
		s.machine.Answer(now, c.id, inflight.Answer{
			Bytes: c.memory, None: !written, Close: r.Close, Throttle: r.Throttle,
		})
		wake = s.collect(now)
	}
	s.mu.Unlock()
	if dead {
		out.Free()
	}
	if dead || !written {
		s.cfg.Observer.Done(&c.request, c.arrival.Bytes, 0)
		c.recycle()
	}
	s.fire(wake)
}

// discard frees what the request holds. An answer may wait long for its client to read; its request shall not.
func (c *call) discard() {
	r, d := &c.request, &c.decoded
	r.Body, r.Produce, r.Fetch, r.Node, r.Raw = nil, wire.ProduceRequest{}, wire.FetchRequest{}, wire.NodeRequest{}, nil
	d.Body, d.Produce, d.Fetch, d.Node, d.Raw, d.ClientID = nil, wire.ProduceRequest{}, wire.FetchRequest{}, wire.NodeRequest{}, nil, nil
	if c.frame != nil {
		c.frame.Free()
		c.frame = nil
	}
	if c.decoded.Memory > 0 {
		c.session.cfg.Budget.Take(-c.decoded.Memory)
		c.decoded.Memory = 0
	}
}

// BeginWrite makes the caller the writer if there is something to write and nobody writes. The deliverer calls it after
// Receive and Continue.
func (s *Session) BeginWrite() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.is.writing || s.is.dead || !s.machine.Ready() {
		return false
	}
	s.is.writing = true
	return true
}

// Next returns the next answer to write, and whether another one stands ready behind it. When it returns nil the caller
// is no longer the writer.
func (s *Session) Next() (a *Answer, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.is.dead {
		if c, ok := s.machine.Next(); ok {
			return &c.answer, s.machine.Ready()
		}
	}
	s.is.writing = false
	return nil, false
}

// Written gives an answer back after it was written, or could not be.
func (s *Session) Written(a *Answer) {
	c := a.call
	now := s.world.Now()
	c.request.Timeline.Sent = now.Mono
	s.cfg.Observer.Done(&c.request, c.arrival.Bytes, a.Out.Size())
	a.Out.Free()
	s.mu.Lock()
	s.machine.Written(c.memory)
	wake := s.collect(now)
	s.mu.Unlock()
	c.recycle()
	s.fire(wake)
}
