package nodes

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/wire"
)

// FuzzOpenEnvelope: whatever is in an Envelope, it is refused, or what comes out may be forwarded and decodes within what was charged,
// all of which is given back.
func FuzzOpenEnvelope(f *testing.F) {
	add := func(m kmsg.Request, version int16) {
		e := wrapped(m, version)
		f.Add(e.RequestData, e.RequestPrincipal, e.ClientHostAddress)
	}
	add(creation(), 7)
	add(creation(), 2)
	add(kmsg.NewPtrUnregisterBrokerRequest(), 0)
	add(kmsg.NewPtrBrokerHeartbeatRequest(), 1)
	f.Add([]byte{0, 19}, []byte{0, 0}, []byte{1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, data, principal, addr []byte) {
		s := newStand(t)
		s.answer = creating(kafka.ErrNone)
		var charged int64
		in := &kmsg.EnvelopeRequest{RequestData: data, RequestPrincipal: principal, ClientHostAddress: addr}
		o, err := open(s.table, in, func(n int64) bool { charged += n; return charged < 1<<20 })
		if err == nil {
			api, ok := wire.Lookup(o.decoded.Key)
			if !ok || !api.Forwarded || o.decoded.Body == nil || !o.from.Addr().IsValid() || o.decoded.Memory != charged {
				t.Fatalf("%+v, charged %d", o, charged)
			}
		}
		answers := 0
		s.n.Envelope(&wire.Request{Key: kafka.KeyEnvelope, Body: in, Reply: func(r wire.Reply) {
			if answers++; (kafka.ErrorCode(r.Message.(*kmsg.EnvelopeResponse).ErrorCode) == kafka.ErrNone) != (err == nil) {
				t.Fatalf("answered with %v, and opening it gives %v", r.Message, err)
			}
		}})
		if answers != 1 || s.budget.Used() != 0 {
			t.Fatalf("%d answers, %d bytes stay charged", answers, s.budget.Used())
		}
	})
}
