package remote

import (
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/remote/commands"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// Forwarder passes clients' requests on to the active controller, each in an Envelope with its principal (KIP-590).
type Forwarder struct {
	o         Options
	deadlines *world.Deadlines
	changes   lane
	questions lane // which change nothing, and never stand behind a change that waits for somebody to lead
	apis      map[kafka.APIKey]wire.API
}

// NewForwarder makes it. It connects when something is forwarded.
func NewForwarder(o Options) *Forwarder {
	f := &Forwarder{o: o.withDefaults(), deadlines: world.NewDeadlines(o.World), apis: map[kafka.APIKey]wire.API{}}
	f.lanes().begin(&f.o, f.deadlines)
	for _, a := range wire.APIs() {
		if a.Forwarded {
			f.apis[a.Key] = a
		}
	}
	return f
}

func (f *Forwarder) lanes() lanes { return lanes{&f.changes, &f.questions} }

// lane is the one for requests of a key.
func (f *Forwarder) lane(key kafka.APIKey) *lane {
	if question(key) {
		return &f.questions
	}
	return &f.changes
}

// question reports whether requests of a key that is Forwarded change nothing.
func question(key kafka.APIKey) bool {
	return key == kafka.KeyDescribeQuorum || key == kafka.KeyListPartitionReassignments
}

// Forward has a request of a key that is Forwarded answered by the active controller, or with REQUEST_TIMED_OUT; false, and
// nothing done, where that is on this node, whose handlers answer. An Envelope that is refused as such is a fault between nodes, of
// which clients hear UNKNOWN_SERVER_ERROR, as from Kafka; where the controller doesn't speak their version the connection is closed.
func (f *Forwarder) Forward(req *wire.Request) bool {
	if leader, _ := f.o.Where.Leader(); f.o.Own != nil && leader == f.o.Self {
		return false
	}
	m := f.wrap(req)
	began, timeout := f.o.World.Now().Mono, f.timeout(req.Body)
	f.lane(req.Key).begin(&errand{
		what: req.Key.String(), message: m, patience: f.o.RequestTimeout,
		done: func(answer kmsg.Response, _ any, err error) {
			if err != nil {
				req.Reply(wire.Reply{Message: refusal(req.Body, err)})
				return
			}
			f.unwrap(req, answer.(*kmsg.EnvelopeResponse), timeout-(f.o.World.Now().Mono-began))
		},
	}, timeout)
	return true
}

// wrap puts a request into an Envelope. What is written is what came, but for a null client id, which is an empty one.
func (f *Forwarder) wrap(req *wire.Request) *kmsg.EnvelopeRequest {
	api := f.apis[req.Key]
	frame := wire.BeginRequest(nil, &api, req.Version, req.CorrelationID, req.ClientID)
	frame = req.Body.AppendTo(frame)
	m := kmsg.NewPtrEnvelopeRequest()
	m.RequestData = frame[lengthBytes:]
	m.RequestPrincipal = wire.AppendPrincipal(nil, req.Peer.Principal)
	m.ClientHostAddress = req.Peer.Addr.Addr().Unmap().AsSlice()
	return m
}

// lengthBytes is the length in front of a frame, which an Envelope has none of.
const lengthBytes = 4

// timeout is how long a request is tried: as long as it says itself, but no longer than requests between nodes take.
func (f *Forwarder) timeout(body kmsg.Request) time.Duration {
	if m, ok := body.(kmsg.TimeoutRequest); ok && m.Timeout() > 0 {
		return min(time.Duration(m.Timeout())*time.Millisecond, f.o.RequestTimeout)
	}
	return f.o.RequestTimeout
}

// unwrap answers with what the Envelope brought back, once this node sees what the controller had done.
func (f *Forwarder) unwrap(req *wire.Request, m *kmsg.EnvelopeResponse, left time.Duration) {
	api := f.apis[req.Key]
	code := kafka.ErrorCode(m.ErrorCode)
	if code == kafka.ErrUnsupportedVersion {
		req.Reply(wire.Reply{Close: true})
		return
	}
	body, err := wire.AnswerBody(&api, req.Version, m.ResponseData)
	switch {
	case code != kafka.ErrNone:
		err = fault.New("remote.Forward", kafka.ErrUnknownServerError, "The controller refused the envelope with %v.", code)
	case err == nil && wire.AnswerOf(m.ResponseData) != req.CorrelationID:
		err = fault.New("remote.Forward", kafka.ErrUnknownServerError, "The envelope brought back the answer to another request.")
	case err != nil:
		err = fault.New("remote.Forward", kafka.ErrUnknownServerError, "The answer in the envelope makes no sense.")
	}
	if err != nil {
		req.Reply(wire.Reply{Message: refusal(req.Body, err)})
		return
	}
	f.await(req.Key, m, left, func() { req.Reply(wire.Reply{Body: relayed(body)}) })
}

// await calls done when this node sees what the answer tells of, and not later than the request's time is over. A question changes
// nothing.
func (f *Forwarder) await(key kafka.APIKey, m *kmsg.EnvelopeResponse, left time.Duration, done func()) {
	end, told := commands.Shown(m)
	if !told || question(key) || f.o.Await == nil {
		done()
		return
	}
	var once sync.Once
	finish := func() { once.Do(done) }
	expiry := f.deadlines.Add(left, finish)
	f.o.Await(end, func() {
		f.deadlines.Cancel(expiry)
		finish()
	})
}

// relayed is a body that is encoded already.
type relayed []byte

// AppendTo implements wire.Appender.
func (b relayed) AppendTo(dst []byte) []byte { return append(dst, b...) }

// Moved is to be called when another leads the quorum: what the old controller has not answered is asked again at once.
func (f *Forwarder) Moved() { f.lanes().moved() }

// Close ends everything under way.
func (f *Forwarder) Close() { f.lanes().close() }
