package remote_test

import (
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/remote"
	"github.com/milena-io/milena/internal/wire"
)

// TestAClientsRequestIsAnsweredByTheController, with its principal and address, and once this node sees what was done.
func TestAClientsRequestIsAnsweredByTheController(t *testing.T) {
	o := newTown(t, 11)
	leader := o.form()
	c, f := remote.NewControl(o.options()), remote.NewForwarder(o.options())
	o.join(c)
	var r, again result
	f.Forward(o.creation("t", 10_000, &r))
	o.w.Run(5 * time.Second)
	topic := leader.feed.Image().TopicNamed("t")
	if r.done != 1 || r.created() != kafka.ErrNone || topic == nil || r.reply.(*kmsg.CreateTopicsResponse).Topics[0].TopicID != topic.ID {
		t.Fatalf("%d answers, %+v, %v", r.done, r.reply, topic)
	}
	if len(o.awaited) != 1 || o.awaited[0] < 2 || o.awaited[0] > leader.feed.Offset()+1 {
		t.Fatalf("waited for %v", o.awaited)
	}
	f.Forward(o.creation("t", 10_000, &again))
	o.w.Run(5 * time.Second)
	if again.done != 1 || again.created() != kafka.ErrTopicAlreadyExists {
		t.Fatalf("%+v", again.reply)
	}
	f.Close()
	c.Close()
	o.w.Run(time.Second)
	o.quiet()
}

// TestARequestIsForwardedWhole: what the handler at the other end gets is what the client sent.
func TestARequestIsForwardedWhole(t *testing.T) {
	o := newTown(t, 12)
	leader := o.form()
	var got *wire.Request
	leader.handle = map[kafka.APIKey]wire.Handler{kafka.KeyCreateTopics: func(req *wire.Request) {
		got = req
		out := req.Body.(*kmsg.CreateTopicsRequest).ResponseKind().(*kmsg.CreateTopicsResponse)
		out.Topics = append(out.Topics, kmsg.NewCreateTopicsResponseTopic())
		req.Reply(wire.Reply{Message: out})
	}}
	f := remote.NewForwarder(o.options())
	for version := int16(2); version <= 7; version++ {
		var r result
		req := o.creation("t", 10_000, &r)
		req.Version = version
		req.Body.SetVersion(version)
		f.Forward(req)
		o.w.Run(time.Second)
		if r.done != 1 || got == nil {
			t.Fatalf("v%d: %d answers", version, r.done)
		}
		in := got.Body.(*kmsg.CreateTopicsRequest)
		if got.Version != version || got.CorrelationID != 77 || got.ClientID != "client" || got.Peer.Principal != req.Peer.Principal ||
			got.Peer.Addr.Addr() != req.Peer.Addr.Addr() || in.TimeoutMillis != 10_000 || in.Topics[0].Topic != "t" {
			t.Fatalf("v%d: got %+v", version, got)
		}
		got = nil
	}
}

// TestAForwardedRequestHasItsTime: its own, or that between nodes; a client that is in a hurry does no harm to the others.
func TestAForwardedRequestHasItsTime(t *testing.T) {
	o := newTown(t, 13)
	leader := o.form()
	c, f := remote.NewControl(o.options()), remote.NewForwarder(o.options())
	o.join(c)
	leader.slow = 200 * time.Millisecond
	var patient, hasty result
	began := o.w.Now().Mono
	f.Forward(o.creation("a", 10_000, &patient))
	f.Forward(o.creation("b", 1, &hasty))
	o.w.Run(5 * time.Second)
	if hasty.done != 1 || hasty.created() != kafka.ErrRequestTimedOut || hasty.at-began != time.Millisecond {
		t.Fatalf("%d answers after %v: %+v", hasty.done, hasty.at-began, hasty.reply)
	}
	if patient.done != 1 || patient.created() != kafka.ErrNone || patient.at-began > 500*time.Millisecond {
		t.Fatalf("%d answers after %v: %+v", patient.done, patient.at-began, patient.reply)
	}
	for _, s := range o.controllers {
		s.isolate(true)
	}
	var cut, described result
	began = o.w.Now().Mono
	f.Forward(o.creation("c", 3_000, &cut))
	m := kmsg.NewPtrDescribeQuorumRequest()
	m.SetVersion(2)
	f.Forward(o.arrived(m, &described))
	o.w.Run(time.Minute)
	if cut.done != 1 || cut.created() != kafka.ErrRequestTimedOut || cut.at-began != 3*time.Second {
		t.Fatalf("%d answers after %v: %+v", cut.done, cut.at-began, cut.reply)
	}
	if described.done != 1 || kafka.ErrorCode(described.reply.(*kmsg.DescribeQuorumResponse).ErrorCode) != kafka.ErrRequestTimedOut || described.at-began != 30*time.Second {
		t.Fatalf("%d answers after %v: %+v", described.done, described.at-began, described.reply)
	}
}

// TestAQuestionDoesNotWaitForAChange: who asks how the quorum stands hears it also while the controller is slow with a change.
func TestAQuestionDoesNotWaitForAChange(t *testing.T) {
	o := newTown(t, 16)
	leader := o.form()
	leader.handle = map[kafka.APIKey]wire.Handler{
		kafka.KeyCreateTopics:   func(*wire.Request) {}, // nobody answers
		kafka.KeyDescribeQuorum: func(req *wire.Request) { req.Reply(wire.Reply{Message: req.Body.ResponseKind()}) },
	}
	f := remote.NewForwarder(o.options())
	var change, described result
	began := o.w.Now().Mono
	f.Forward(o.creation("t", 10_000, &change))
	o.w.Run(time.Second)
	m := kmsg.NewPtrDescribeQuorumRequest()
	m.SetVersion(2)
	f.Forward(o.arrived(m, &described))
	o.w.Run(time.Second)
	if described.done != 1 || kafka.ErrorCode(described.reply.(*kmsg.DescribeQuorumResponse).ErrorCode) != kafka.ErrNone {
		t.Fatalf("%d answers, %+v", described.done, described.reply)
	}
	o.w.Run(time.Minute)
	if change.done != 1 || change.created() != kafka.ErrRequestTimedOut || change.at-began != 10*time.Second {
		t.Fatalf("%d answers after %v: %+v", change.done, change.at-began, change.reply)
	}
	f.Close()
}

// TestAClientsRequestWaitsWhileItsOwnNodeComesToLead: when it came another led, who is gone; then this node leads, and is asked like
// any other.
func TestAClientsRequestWaitsWhileItsOwnNodeComesToLead(t *testing.T) {
	o := newTown(t, 15)
	leader := o.form()
	opts := o.options()
	o.join(remote.NewControl(opts))
	nobody := kafka.NoNode
	led := &nobody
	opts.Self, opts.Own = leader.key.NodeID, &flicker{}
	opts.Where.Leader = func() (kafka.NodeID, kafka.LeaderEpoch) { return *led, 1 }
	opts.Where.Seats = nil
	f := remote.NewForwarder(opts)
	var r result
	began := o.w.Now().Mono
	if !f.Forward(o.creation("t", 10_000, &r)) {
		t.Fatal("nobody leads, and it is answered here")
	}
	o.w.Run(100 * time.Millisecond)
	led = &leader.key.NodeID
	f.Moved()
	o.w.Run(30 * time.Second)
	if r.done != 1 || r.created() != kafka.ErrNone || r.at-began > time.Second {
		t.Fatalf("%d answers after %v: %+v", r.done, r.at-began, r.reply)
	}
}

// TestAnAnswerComesAlsoWhereNothingIsSeen: a node that follows the log no more doesn't keep a client waiting beyond its time, and tells
// it what was done.
func TestAnAnswerComesAlsoWhereNothingIsSeen(t *testing.T) {
	o := newTown(t, 14)
	o.form()
	opts := o.options()
	o.join(remote.NewControl(opts))
	opts.Await = func(kafka.Offset, func()) {}
	f := remote.NewForwarder(opts)
	var r result
	began := o.w.Now().Mono
	f.Forward(o.creation("t", 2_000, &r))
	o.w.Run(10 * time.Second)
	if r.done != 1 || r.created() != kafka.ErrNone || r.at-began > 2*time.Second+time.Millisecond {
		t.Fatalf("%d answers after %v: %+v", r.done, r.at-began, r.reply)
	}
}

// TestWhatIsWrongWithAnEnvelope is no client's business, who hears UNKNOWN_SERVER_ERROR, or is cut off when the controller doesn't speak
// its version.
func TestWhatIsWrongWithAnEnvelope(t *testing.T) {
	for code, want := range map[kafka.ErrorCode]kafka.ErrorCode{
		kafka.ErrInvalidRequest: kafka.ErrUnknownServerError, kafka.ErrPrincipalDeserializationFailure: kafka.ErrUnknownServerError,
		kafka.ErrNone: kafka.ErrUnknownServerError, kafka.ErrUnsupportedVersion: kafka.ErrNetworkException,
	} {
		o := newTown(t, 15)
		leader := o.form()
		o.known()
		leader.handle = map[kafka.APIKey]wire.Handler{kafka.KeyEnvelope: func(req *wire.Request) {
			out := kmsg.NewPtrEnvelopeResponse()
			out.ErrorCode = int16(code)
			out.ResponseData = []byte{1, 2, 3} // nonsense
			req.Reply(wire.Reply{Message: out})
		}}
		f := remote.NewForwarder(o.options())
		var r result
		f.Forward(o.creation("t", 1000, &r))
		o.w.Run(5 * time.Second)
		got := fault.CodeOf(r.err)
		if r.err == nil {
			got = r.created()
		}
		if r.done != 1 || got != want {
			t.Errorf("%v: %d answers, %v, want %v", code, r.done, got, want)
		}
	}
}

// TestEverythingForwardedCanBeRefused in every version: the answer to it decodes, and says the code somewhere when it names anything.
func TestEverythingForwardedCanBeRefused(t *testing.T) {
	o := newTown(t, 16)
	opts := o.options()
	opts.Where.Leader = func() (kafka.NodeID, kafka.LeaderEpoch) { return kafka.NoNode, -1 }
	opts.RequestTimeout = time.Second
	f := remote.NewForwarder(opts)
	var keys []kafka.APIKey
	for _, api := range wire.APIs() {
		if !api.Forwarded {
			continue
		}
		keys = append(keys, api.Key)
		for v := api.Min; v <= api.Max; v++ {
			m := kmsg.RequestForKey(int16(api.Key))
			m.SetVersion(v)
			var r result
			f.Forward(o.arrived(m, &r))
			o.w.Run(2 * time.Second)
			if r.done != 1 || r.err != nil {
				t.Fatalf("%v v%d: %d answers, %v", api.Key, v, r.done, r.err)
			}
			out := r.reply.(kmsg.Response)
			out.SetVersion(v)
			if err := m.ResponseKind().ReadFrom(out.AppendTo(nil)); err != nil {
				t.Errorf("%v v%d: %v", api.Key, v, err)
			}
		}
	}
	for _, key := range []kafka.APIKey{kafka.KeyCreateTopics, kafka.KeyUnregisterBroker, kafka.KeyAddRaftVoter} {
		if !slices.Contains(keys, key) {
			t.Errorf("%v is not forwarded", key)
		}
	}
}
