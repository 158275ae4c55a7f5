package wire

import (
	"bytes"
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/kafka"
)

func someCall(messages ...string) *NodeCall {
	c := &NodeCall{
		ClusterID: "clusterAAAAAAAAAAAAAAA",
		From:      Member{1, kafka.DirectoryID{1, 2}}, To: Member{2, kafka.DirectoryID{3, 4}},
	}
	for _, m := range messages {
		c.Messages = append(c.Messages, []byte(m))
	}
	return c
}

func TestNodeMessagesComeOutAsTheyWentIn(t *testing.T) {
	for _, messages := range [][]string{nil, {""}, {"one", "", strings.Repeat("three", 1000)}} {
		for _, cluster := range []string{"", "clusterAAAAAAAAAAAAAAA"} {
			call := someCall(messages...)
			call.ClusterID, call.Greeting = cluster, strings.Repeat("hello", len(messages))
			r, err := ParseNodeRequest(call.AppendTo(nil))
			if err != nil || string(r.ClusterID) != cluster || r.From != call.From || r.To != call.To || r.Messages != len(messages) || string(r.Greeting) != call.Greeting {
				t.Fatalf("%+v, %v", r, err)
			}
			i := 0
			for m := range r.All {
				if string(m) != messages[i] {
					t.Fatalf("message %d is %q", i, m)
				}
				i++
			}
			if i != len(messages) {
				t.Fatalf("%d messages of %d", i, len(messages))
			}
		}
	}
}

func TestNodeAnswersComeOutAsTheyWentIn(t *testing.T) {
	for _, want := range []NodeAnswer{
		{},
		{
			ErrorCode: kafka.ErrInvalidVoterKey, Message: "that is not me",
			Identity: Identity{"c", Member{7, kafka.DirectoryID{9}}, kafka.IncarnationID{8}, 1_790_000_000_000}, Greeting: "hello",
		},
	} {
		b := want.AppendTo(nil)
		got, err := ParseNodeAnswer(b)
		if err != nil || got != want {
			t.Fatalf("%+v, %v", got, err)
		}
		for n := range b {
			if _, err := ParseNodeAnswer(b[:n]); err == nil {
				t.Fatalf("%d bytes of %d parse", n, len(b))
			}
		}
	}
}

func TestNodeMessagesCutShortAreRefused(t *testing.T) {
	b := someCall("one", "two").AppendTo(nil)
	for n := range b {
		if _, err := ParseNodeRequest(b[:n]); err == nil {
			t.Fatalf("%d bytes of %d parse", n, len(b))
		}
	}
}

// TestLaterNodesMaySayMore: what follows in a tag is skipped.
func TestLaterNodesMaySayMore(t *testing.T) {
	call := someCall("one").AppendTo(nil)
	if _, err := ParseNodeRequest(append(call[:len(call)-1], 1, 99, 2, 'h', 'i')); err != nil {
		t.Fatal(err)
	}
	answer := (&NodeAnswer{}).AppendTo(nil)
	if _, err := ParseNodeAnswer(append(answer[:len(answer)-1], 1, 99, 2, 'h', 'i')); err != nil {
		t.Fatal(err)
	}
}

// TestOnlyNodesHearOfNodeMessages: the API works where it has a handler, and no client is told.
func TestOnlyNodesHearOfNodeMessages(t *testing.T) {
	handled := 0
	table := NewTable(map[kafka.APIKey]Handler{
		kafka.KeyMetadata: func(*Request) {}, kafka.KeyAlterPartition: func(*Request) {},
		kafka.KeyNodeMessages: func(*Request) { handled++ },
	})
	for audience, want := range []int{1, 2, 3} {
		if got := table.Advertised(Audience(audience)); len(got) != want {
			t.Errorf("audience %d hears %+v", audience, got)
		}
	}
	api, _ := table.API(kafka.KeyNodeMessages)
	frame := frameOf(&api, 0, someCall("one").AppendTo(nil), nil)
	d, err := table.Decode(frame, allowAll)
	if err != nil || d.Node.Messages != 1 || d.Body != nil {
		t.Fatalf("%+v, %v", d, err)
	}
	table.Handle(&Request{Key: d.Key, Node: d.Node})
	if handled != 1 {
		t.Fatal("not handled")
	}
	pool := NewPool(nil, true)
	answer := NodeAnswer{Identity: Identity{ClusterID: "c"}}
	out := table.Encode(pool, &d, Reply{Body: &answer})
	defer out.Free()
	if got := out.Head.B[lengthBytes+4:]; got[0] != 0 || !bytes.Equal(got[1:], answer.AppendTo(nil)) {
		t.Fatalf("answered %x", out.Head.B)
	}
	if _, err := NewTable(nil).Decode(frame, allowAll); err == nil || !strings.Contains(err.Error(), "NodeMessages is not an API of this listener") {
		t.Fatalf("without a handler: %v", err)
	}
}
