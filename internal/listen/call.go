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
	frame    *wire.Buffer // of Produce, whose records alias it; nil for others, whose frame is freed when it is decoded
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
	c := &call{session: s}
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
		Body: d.Body, Produce: d.Produce, Arrived: now, Reply: c.reply,
	}
	c.request.Timeline.Decoded = s.world.Now().Mono
	c.arrival = arrivalOf(d, int64(len(frame.B)))
	if d.Key == kafka.KeyProduce {
		c.frame, c.request.Raw = frame, d.Raw
	} else {
		frame.Free()
		d.ClientID, d.Raw = nil, nil
	}
	return c, nil
}

// arrivalOf classifies a request (architecture D7).
func arrivalOf(d *wire.Decoded, size int64) inflight.Arrival {
	a := inflight.Arrival{Bytes: size}
	switch d.Key {
	case kafka.KeyProduce:
		a.Class, a.NoReply = inflight.Produce, d.Produce.Acks == 0
	case kafka.KeyFetch:
		if f := d.Body.(*kmsg.FetchRequest); f.ReplicaID >= 0 || f.ReplicaState.ID >= 0 {
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
	must.Hold(silent || some || r.Close, "%v is answered with nothing", c.request.Key)
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
	must.Hold(!c.answered, "%v %d of %v is answered twice", c.request.Key, c.request.CorrelationID, c.request.Peer.Addr)
	c.answered = true
	dead := s.is.dead
	var wake signals
	if !dead && out.Head != nil {
		c.answer, c.memory = Answer{Out: out, call: c}, out.Memory()
	}
	if !dead {
		s.machine.Answer(now, c.id, inflight.Answer{
			Bytes: c.memory, None: out.Head == nil, Close: r.Close, Throttle: r.Throttle,
		})
		wake = s.collect(now)
	}
	s.mu.Unlock()
	if dead {
		out.Free()
	}
	if dead || out.Head == nil {
		s.cfg.Observer.Done(&c.request, c.arrival.Bytes, 0)
	}
	s.fire(wake)
}

// discard frees what the request holds. An answer may wait long for its client to read; its request shall not.
func (c *call) discard() {
	c.request.Body, c.request.Produce, c.request.Raw = nil, wire.ProduceRequest{}, nil
	c.decoded.Body, c.decoded.Produce, c.decoded.Raw, c.decoded.ClientID = nil, wire.ProduceRequest{}, nil, nil
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
	s.fire(wake)
}
