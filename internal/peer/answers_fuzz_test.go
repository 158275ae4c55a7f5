package peer_test

import (
	"testing"
	"time"

	"github.com/milena-io/milena/internal/peer"
	"github.com/milena-io/milena/internal/wire"
)

// FuzzAnswers: whatever another node answers, first to ApiVersions and then to three requests, nothing breaks: each request is
// answered once, and all memory comes back.
func FuzzAnswers(f *testing.F) {
	greeting := framed(0, versions(sessions(newTown(f, 1).w, (&town{}).handlers("b")).Table))
	one := framed(1, (&wire.NodeAnswer{Message: "x"}).AppendTo([]byte{0}))
	f.Add(greeting, one, uint8(3))
	f.Add(greeting, append(one, framed(2, make([]byte, 50))...), uint8(255))
	f.Add(framed(0, []byte{0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 2}), greeting, uint8(100))
	f.Fuzz(func(t *testing.T, first, second []byte, piece uint8) {
		o := newTown(t, 1)
		e := &echo{}
		opts := o.options()
		opts.Dialer, opts.MaxAnswerBytes = e, 1<<20
		c := peer.New(opts).Channel("b:9092", func(end peer.Ending) { o.endings = append(o.endings, end) })
		told := 0
		c.Tell(&wire.NodeCall{}, time.Minute, func(wire.NodeAnswer, error) { told++ })
		a, b := o.join(c, "", time.Minute), o.park(c, "", time.Minute)
		e.sink.Opened()
		for _, in := range [][]byte{first, second} {
			for len(in) > 0 && len(o.endings) == 0 {
				n := min(len(in), 1+int(piece))
				e.give(in[:n])
				in = in[n:]
			}
		}
		e.sink.Ended(peer.Ending{How: peer.Broken})
		c.Close()
		o.w.Run(time.Hour)
		if told != 1 || a.done != 1 || b.done != 1 {
			t.Fatalf("answered %d, %d and %d times", told, a.done, b.done)
		}
		o.wantQuiet()
	})
}
