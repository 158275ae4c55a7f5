package nodes

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/remote/commands"
	"github.com/milena-io/milena/internal/wire"
)

// wrapped is a client's request in an Envelope.
func wrapped(m kmsg.Request, version int16) *kmsg.EnvelopeRequest {
	m.SetVersion(version)
	api, _ := wire.Lookup(kafka.APIKey(m.Key()))
	e := kmsg.NewPtrEnvelopeRequest()
	e.RequestData = m.AppendTo(wire.BeginRequest(nil, &api, version, 77, "client"))[4:]
	e.RequestPrincipal = wire.AppendPrincipal(nil, wire.Principal{Type: "User", Name: "ann"})
	e.ClientHostAddress = []byte{10, 1, 2, 3}
	return e
}

func creation() *kmsg.CreateTopicsRequest {
	m := kmsg.NewPtrCreateTopicsRequest()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic = "t"
	m.Topics = append(m.Topics, t)
	return m
}

// creating answers a creation with a code.
func creating(code kafka.ErrorCode) func(*wire.Request) {
	return func(req *wire.Request) {
		out := req.Body.(*kmsg.CreateTopicsRequest).ResponseKind().(*kmsg.CreateTopicsResponse)
		t := kmsg.NewCreateTopicsResponseTopic()
		t.Topic, t.ErrorCode = "t", int16(code)
		out.Topics = append(out.Topics, t)
		req.Reply(wire.Reply{Message: out})
	}
}

// TestWhatIsInAnEnvelopeIsAnsweredAsIfAskedHere, with the client's principal, address and header.
func TestWhatIsInAnEnvelopeIsAnsweredAsIfAskedHere(t *testing.T) {
	s := newStand(t)
	s.answer = creating(kafka.ErrTopicAlreadyExists)
	for version := int16(2); version <= 7; version++ {
		out := ask[*kmsg.EnvelopeResponse](s, s.n.Envelope, wrapped(creation(), version), 0)
		wantCode(t, out.ErrorCode, kafka.ErrNone)
		if r := s.inner; r.Peer.Principal.Name != "ann" || r.Peer.Addr.Addr().String() != "10.1.2.3" || r.ClientID != "client" || r.CorrelationID != 77 || r.Version != version || r.Peer.Listener != "CONTROLLER" {
			t.Fatalf("%+v", r)
		}
		api, _ := wire.Lookup(kafka.KeyCreateTopics)
		body, err := wire.AnswerBody(&api, version, out.ResponseData)
		if err != nil || wire.AnswerOf(out.ResponseData) != 77 {
			t.Fatal(err)
		}
		in := kmsg.NewPtrCreateTopicsResponse()
		in.SetVersion(version)
		if err := in.ReadFrom(body); err != nil || kafka.ErrorCode(in.Topics[0].ErrorCode) != kafka.ErrTopicAlreadyExists {
			t.Fatalf("%+v, %v", in, err)
		}
		if end, ok := commands.Shown(out); !ok || end != 55 {
			t.Fatal(end, ok)
		}
	}
}

// TestBadEnvelopes, with Kafka's codes.
func TestBadEnvelopes(t *testing.T) {
	s := newStand(t)
	s.answer = creating(kafka.ErrNone)
	for name, c := range map[string]struct {
		spoil func(*kmsg.EnvelopeRequest)
		want  kafka.ErrorCode
	}{
		"no principal":       {func(e *kmsg.EnvelopeRequest) { e.RequestPrincipal = nil }, kafka.ErrPrincipalDeserializationFailure},
		"half a principal":   {func(e *kmsg.EnvelopeRequest) { e.RequestPrincipal = e.RequestPrincipal[:4] }, kafka.ErrPrincipalDeserializationFailure},
		"no address":         {func(e *kmsg.EnvelopeRequest) { e.ClientHostAddress = nil }, kafka.ErrInvalidRequest},
		"half a request":     {func(e *kmsg.EnvelopeRequest) { e.RequestData = e.RequestData[:len(e.RequestData)-3] }, kafka.ErrInvalidRequest},
		"no request":         {func(e *kmsg.EnvelopeRequest) { e.RequestData = nil }, kafka.ErrInvalidRequest},
		"an unknown version": {func(e *kmsg.EnvelopeRequest) { e.RequestData[3] = 99 }, kafka.ErrUnsupportedVersion},
		"what isn't forwarded": {func(e *kmsg.EnvelopeRequest) {
			*e = *wrapped(commands.WriteHeartbeat(controller.Heartbeat{}), 0)
		}, kafka.ErrInvalidRequest},
		"an Envelope": {func(e *kmsg.EnvelopeRequest) { *e = *wrapped(wrapped(creation(), 7), 0) }, kafka.ErrInvalidRequest},
	} {
		e := wrapped(creation(), 7)
		c.spoil(e)
		if out := ask[*kmsg.EnvelopeResponse](s, s.n.Envelope, e, 0); kafka.ErrorCode(out.ErrorCode) != c.want || s.inner != nil || out.ResponseData != nil {
			t.Errorf("%s: %v, want %v (let in: %v)", name, kafka.ErrorCode(out.ErrorCode), c.want, s.inner != nil)
		}
		s.inner = nil
	}
	if len(s.commands) != 0 {
		t.Errorf("%v were submitted", s.commands)
	}
	out := ask[*kmsg.EnvelopeResponse](s, s.n.Envelope, wrapped(creation(), 7), 0)
	wantCode(t, out.ErrorCode, kafka.ErrNone) // nothing but what was spoilt is wrong with it
}

// TestNotControllerInsideIsNotControllerOutside, wherever it stands, so that the sender looks for another.
func TestNotControllerInsideIsNotControllerOutside(t *testing.T) {
	s := newStand(t)
	s.answer = creating(kafka.ErrNotController)
	out := ask[*kmsg.EnvelopeResponse](s, s.n.Envelope, wrapped(creation(), 7), 0)
	wantCode(t, out.ErrorCode, kafka.ErrNotController)
	s.err = refusal(kafka.ErrNotController)
	out = ask[*kmsg.EnvelopeResponse](s, s.n.Envelope, wrapped(kmsg.NewPtrUnregisterBrokerRequest(), 0), 0)
	wantCode(t, out.ErrorCode, kafka.ErrNotController)
	// A controller that is stopping, and a quorum's leader that leads no more, say it in other words.
	s.err = refusal(kafka.ErrNotLeaderOrFollower)
	out = ask[*kmsg.EnvelopeResponse](s, s.n.Envelope, wrapped(kmsg.NewPtrRemoveRaftVoterRequest(), 0), 0)
	wantCode(t, out.ErrorCode, kafka.ErrNotController)
	s.answer = creating(kafka.ErrNotLeaderOrFollower)
	out = ask[*kmsg.EnvelopeResponse](s, s.n.Envelope, wrapped(creation(), 7), 0)
	wantCode(t, out.ErrorCode, kafka.ErrNotController)
	s.answer = nil
	s.err = refusal(kafka.ErrBrokerIdNotRegistered)
	out = ask[*kmsg.EnvelopeResponse](s, s.n.Envelope, wrapped(kmsg.NewPtrUnregisterBrokerRequest(), 0), 0)
	wantCode(t, out.ErrorCode, kafka.ErrNone)
	s.answer = func(req *wire.Request) { req.Reply(wire.Reply{Close: true}) }
	out = ask[*kmsg.EnvelopeResponse](s, s.n.Envelope, wrapped(creation(), 7), 0)
	wantCode(t, out.ErrorCode, kafka.ErrUnknownServerError)
}
