package peer_test

import (
	"strings"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/wire"
)

func TestADoorTakesWhatIsMeantForItsNode(t *testing.T) {
	o := newTown(t, 1)
	o.serve("b", 2)
	c := o.channel("b:9092")
	me, there := wire.Member{Node: 1, Directory: kafka.DirectoryID{1}}, o.identity["b"].Member
	for _, x := range []struct {
		name   string
		call   wire.NodeCall
		code   kafka.ErrorCode
		reason string
	}{
		{"right", wire.NodeCall{ClusterID: "c", From: me, To: there}, kafka.ErrNone, ""},
		{"nobody in particular", wire.NodeCall{ClusterID: "c", From: me, To: wire.Member{Node: kafka.NoNode}}, kafka.ErrNone, ""},
		{"a cluster without an id yet", wire.NodeCall{From: me, To: there}, kafka.ErrNone, ""},
		{"wrong cluster", wire.NodeCall{ClusterID: "d", From: me, To: there}, kafka.ErrInconsistentClusterId, `the sender belongs to cluster "d", and node 2 to cluster c`},
		{"wrong node", wire.NodeCall{ClusterID: "c", From: me, To: wire.Member{Node: 3, Directory: there.Directory}}, kafka.ErrInvalidVoterKey, "this is for node 3"},
		{"wrong directory", wire.NodeCall{ClusterID: "c", From: me, To: wire.Member{Node: 2, Directory: kafka.DirectoryID{9}}}, kafka.ErrInvalidVoterKey, "and here is node 2 with directory " + there.Directory.String()},
		{"the same id", wire.NodeCall{ClusterID: "c", From: wire.Member{Node: 2, Directory: kafka.DirectoryID{9}}, To: there}, kafka.ErrDuplicateBrokerRegistration, "the sender calls itself node 2"},
		{"itself", wire.NodeCall{ClusterID: "c", From: there, To: there}, kafka.ErrNone, ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			o.taken = nil
			x.call.Messages = [][]byte{[]byte("one"), []byte("two")}
			var got *wire.NodeAnswer
			var err error
			c.Tell(&x.call, time.Minute, func(a wire.NodeAnswer, e error) { got, err = &a, e })
			o.w.Run(time.Second)
			if got == nil || got.Identity != *o.identity["b"] {
				t.Fatalf("answered %+v, %v", got, err)
			}
			if x.code == kafka.ErrNone {
				if err != nil || len(o.taken) != 2 || !strings.HasSuffix(o.taken[0], "one") || !strings.HasSuffix(o.taken[1], "two") {
					t.Fatalf("taken %v, %v", o.taken, err)
				}
				return
			}
			if fault.CodeOf(err) != x.code || got.ErrorCode != x.code || !strings.Contains(err.Error(), x.reason) || len(o.taken) != 0 {
				t.Fatalf("taken %v, %v", o.taken, err)
			}
		})
	}
	o.wantEndings()
}

func TestADoorAnswersGreetings(t *testing.T) {
	o := newTown(t, 2)
	o.serve("b", 2)
	c := o.channel("b:9092")
	ask := func(greeting, cluster string) (got wire.NodeAnswer, err error) {
		c.Tell(&wire.NodeCall{ClusterID: cluster, From: wire.Member{Node: 1}, To: wire.Member{Node: kafka.NoNode}, Greeting: greeting}, time.Minute,
			func(a wire.NodeAnswer, e error) { got, err = a, e })
		o.w.Run(time.Second)
		return got, err
	}
	if got, err := ask("hello", ""); err != nil || got.Greeting != "and hello" || got.Identity != *o.identity["b"] {
		t.Fatalf("%+v, %v", got, err)
	}
	if got, err := ask("rude", ""); fault.CodeOf(err) != kafka.ErrInconsistentVoterSet || got.Greeting != "" || !strings.Contains(err.Error(), "nobody says that") {
		t.Fatalf("%+v, %v", got, err)
	}
	if got, err := ask("hello", "another"); fault.CodeOf(err) != kafka.ErrInconsistentClusterId || got.Greeting != "" {
		t.Fatalf("%+v, %v", got, err)
	}
}

// What is refused where messages go is told to their sender: it may be no voter any more, and not know that.
func TestADoorTellsWhatIsRefused(t *testing.T) {
	o := newTown(t, 3)
	o.serve("b", 2)
	o.refuses = fault.New("quorum.Receive", kafka.ErrVoterNotFound, "you were removed")
	call := wire.NodeCall{ClusterID: "c", From: wire.Member{Node: 1, Directory: kafka.DirectoryID{1}}, To: o.identity["b"].Member, Messages: [][]byte{[]byte("vote")}}
	var got error
	o.channel("b:9092").Tell(&call, time.Minute, func(_ wire.NodeAnswer, err error) { got = err })
	o.w.Run(time.Second)
	if fault.CodeOf(got) != kafka.ErrVoterNotFound || !strings.Contains(got.Error(), "you were removed") {
		t.Fatalf("the sender hears %v", got)
	}
}
