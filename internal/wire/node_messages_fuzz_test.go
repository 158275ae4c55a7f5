package wire

import (
	"bytes"
	"testing"
)

// FuzzParseNodeRequest: what parses can be walked, with as many messages as were counted, and says the same when encoded again.
func FuzzParseNodeRequest(f *testing.F) {
	f.Add(someCall().AppendTo(nil))
	f.Add(someCall("one", "", "three").AppendTo(nil))
	f.Add((&NodeCall{Greeting: "hello"}).AppendTo(nil))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := ParseNodeRequest(body)
		if err != nil {
			return
		}
		call := NodeCall{ClusterID: string(r.ClusterID), From: r.From, To: r.To, Greeting: string(r.Greeting)}
		for m := range r.All {
			call.Messages = append(call.Messages, m)
		}
		if len(call.Messages) != r.Messages {
			t.Fatalf("counted %d messages, walked %d", r.Messages, len(call.Messages))
		}
		again, err := ParseNodeRequest(call.AppendTo(nil))
		if err != nil || again.From != r.From || again.To != r.To || again.Messages != r.Messages || !bytes.Equal(again.ClusterID, r.ClusterID) || !bytes.Equal(again.Greeting, r.Greeting) {
			t.Fatalf("encoded again it is %+v, %v", again, err)
		}
	})
}

// FuzzParseNodeAnswer: what parses says the same when encoded again.
func FuzzParseNodeAnswer(f *testing.F) {
	f.Add((&NodeAnswer{}).AppendTo(nil))
	f.Add((&NodeAnswer{ErrorCode: 104, Message: "m", Identity: Identity{ClusterID: "c", StartedMs: 5}}).AppendTo(nil))
	f.Add((&NodeAnswer{Greeting: "hello"}).AppendTo(nil))
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := ParseNodeAnswer(body)
		if err != nil {
			return
		}
		if again, err := ParseNodeAnswer(a.AppendTo(nil)); err != nil || again != a {
			t.Fatalf("%+v is %+v, %v", a, again, err)
		}
	})
}
