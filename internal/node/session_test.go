package node

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/wire"
)

// What a broker tells of its last stop when it registers: the epoch of the incarnation that stopped cleanly (KIP-966), and which
// incarnations each directory names. One that was restored from before the last registration does not name that one.
func TestABrokerTellsOfItsLastStop(t *testing.T) {
	c, b := apart(t)
	tells := func(what string, clean, known bool) {
		t.Helper()
		have := c.n.feed.Image().Broker(1)
		b.hall.starts = nil
		b.boot()
		for _, r := range b.hall.starts {
			want := kafka.BrokerEpoch(-1)
			if clean {
				want = have.Epoch
			}
			if len(r.Noted) != 1 || len(r.LogDirs) != 1 || !slices.Contains(r.Noted[0], r.Incarnation) {
				t.Fatalf("%s: %v in %v", what, r.Noted, r.LogDirs)
			}
			if got := have != nil && slices.Contains(r.Noted[0], have.Incarnation); r.PreviousEpoch != want || got != known {
				t.Errorf("%s: the previous epoch is %d, want %d; the last incarnation is noted: %v, want %v", what, r.PreviousEpoch, want, got, known)
			}
		}
		if len(b.hall.starts) == 0 {
			t.Fatalf("%s: nobody registered", what)
		}
	}
	ends := func() {
		b.proc.Kill()
		b.fs = b.fs.PowerCut()
	}
	tells("a new broker", false, false)
	old := b.fs.PowerCut()
	b.halt()
	ends()
	tells("after a clean stop", true, true)
	ends()
	tells("after a power cut", false, true)
	ends()
	tells("after another", false, true)
	b.proc.Kill()
	b.fs = old
	tells("with a disk restored from before", false, false)
}

// A broker that runs and has to register again asks until it is let in, as Kafka's does: neither an answer that makes no sense nor one that
// nobody expects ends a node that has nothing wrong with it.
func TestABrokerThatRunsRegistersAgainWhateverItIsAnswered(t *testing.T) {
	c, b := apart(t)
	b.boot()
	answers := map[string]func(*kmsg.BrokerRegistrationRequest) kmsg.Response{
		"another answer": func(*kmsg.BrokerRegistrationRequest) kmsg.Response { return kmsg.NewPtrBrokerHeartbeatResponse() },
	}
	for _, code := range []kafka.ErrorCode{kafka.ErrUnknownServerError, kafka.ErrCorruptMessage, kafka.ErrInconsistentClusterId, kafka.ErrorCode(12345)} {
		answers[code.String()] = func(in *kmsg.BrokerRegistrationRequest) kmsg.Response {
			out := in.ResponseKind().(*kmsg.BrokerRegistrationResponse)
			out.ErrorCode = int16(code)
			return out
		}
	}
	door := &c.n.edge.controllers
	dispatch := door.dispatch
	for _, name := range slices.Sorted(maps.Keys(answers)) {
		answer := answers[name]
		was, left := b.n.session.brokerEpoch(), 3
		door.dispatch = func(r *wire.Request) {
			in, ok := r.Body.(*kmsg.BrokerRegistrationRequest)
			if !ok || left == 0 {
				dispatch(r)
				return
			}
			left--
			r.Reply(wire.Reply{Message: answer(in)})
		}
		unregister := kmsg.NewPtrUnregisterBrokerRequest()
		unregister.BrokerID = 1
		wantCode(t, ask[*kmsg.UnregisterBrokerResponse](b, unregister).ErrorCode, kafka.ErrNone)
		back := func() bool { return left == 0 && b.n.session.brokerEpoch() > was && b.n.feed.Image().Broker(1) != nil }
		if !b.w.RunUntil(time.Minute, back) {
			t.Fatalf("%s: %d answers are left, the broker has epoch %d, before %d", name, left, b.n.session.brokerEpoch(), was)
		}
	}
}
