package peer_test

import (
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/peer"
)

// TestWhoIsLostMayAskAgainAtOnce: the end of the old connection does nothing to the new one.
func TestWhoIsLostMayAskAgainAtOnce(t *testing.T) {
	o := newTown(t, 1)
	o.serve("b", 2)
	c := o.channel("b:9092")
	var again *asked
	m := kmsg.NewPtrSyncGroupRequest()
	c.AskMessage(m, time.Second, func(kmsg.Response, error) { again = o.join(c, "again", time.Minute) })
	o.w.Run(3 * time.Second)
	if again == nil {
		t.Fatal("not answered")
	}
	o.wantAnswered(again)
	o.wantEndings(peer.Silent)
	o.wantQuiet()
}

// TestTheOrderHoldsWhenTheConnectionBreaksWhileARequestIsEncoded.
func TestTheOrderHoldsWhenTheConnectionBreaksWhileARequestIsEncoded(t *testing.T) {
	o := newTown(t, 1)
	o.serve("b", 2)
	c := o.channel("b:9092")
	warm := o.join(c, "warm", time.Minute)
	o.w.Run(time.Second)
	o.wantAnswered(warm)
	api, _ := o.peers.API(kafka.KeyJoinGroup)
	var second *asked
	bodies, answered := 0, 0
	c.Ask(peer.Request{
		API: api, Timeout: time.Minute,
		Body: func(dst []byte, version int16) []byte {
			if bodies++; bodies == 1 {
				o.net.Break("a", "b")
				second = o.join(c, "second", time.Minute)
			}
			m := kmsg.NewPtrJoinGroupRequest()
			m.MemberID = "first"
			m.SetVersion(version)
			return m.AppendTo(dst)
		},
		Done: func(a peer.Answer, err error) {
			if answered++; err != nil {
				t.Error(err)
				return
			}
			a.Release()
		},
	})
	o.w.Run(time.Second)
	o.wantAnswered(second)
	if !slices.Equal(o.seen, []string{"warm", "first", "second"}) || bodies != 2 || answered != 1 {
		t.Fatalf("seen %v, encoded %d times, answered %d times", o.seen, bodies, answered)
	}
	o.wantEndings(peer.Broken)
	o.wantQuiet()
}

// TestWhatWaitsBehindTheWindowOutlivesTheConnection.
func TestWhatWaitsBehindTheWindowOutlivesTheConnection(t *testing.T) {
	o := newTown(t, 1)
	opts := o.options()
	opts.Unanswered = 10
	o.peers = peer.New(opts)
	o.serve("b", 2)
	c := o.channel("b:9092")
	under, behind := o.park(c, "g", time.Minute), o.join(c, "behind", time.Minute)
	o.w.Run(time.Second)
	o.net.Break("a", "b")
	o.w.Run(time.Second)
	o.wantLost(under, peer.Broken, true)
	o.wantAnswered(behind)
	o.wantQuiet()
}

// TestWhatWasNotWrittenWasNotSent, although it was handed to the connection.
func TestWhatWasNotWrittenWasNotSent(t *testing.T) {
	o := newTown(t, 1)
	e := &echo{}
	opts := o.options()
	opts.Dialer = e
	o.peers = peer.New(opts)
	c := o.channel("b:9092")
	first := o.join(c, "first", time.Minute)
	e.sink.Opened()
	e.give(framed(0, versions(sessions(o.w, o.handlers("b")).Table)))
	e.stuck = true
	second := o.join(c, "second", time.Minute)
	e.sink.Ended(peer.Ending{How: peer.Broken})
	o.wantLost(first, peer.Broken, true)
	o.wantLost(second, peer.Broken, false)
	o.wantQuiet()
}

// TestAServerThatHangsUpIsHeard, by the client of a connection in memory too: it refuses a request and closes.
func TestAServerThatHangsUpIsHeard(t *testing.T) {
	o := newTown(t, 1)
	handlers := o.handlers("b")
	o.serveWith("b", handlers)
	o.servers[0].MaxRequestBytes = 1000
	c := o.channel("b:9092")
	before := o.join(c, "before", time.Minute)
	o.w.Run(time.Second)
	o.wantAnswered(before)
	long := o.join(c, string(pattern(2000)), time.Hour)
	o.w.Run(time.Second)
	o.wantLost(long, peer.Broken, true)
	o.wantEndings(peer.Broken)
}
