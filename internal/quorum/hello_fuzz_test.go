package quorum

import (
	"testing"

	"github.com/milena-io/milena/internal/kafka"
)

// FuzzHello: whatever greets this node is a greeting, whole, or an error; what it says is what is said again.
func FuzzHello(f *testing.F) {
	k := Key{1, kafka.DirectoryID{1, 2}}
	v := helloVoter{helloSeat: seatOf(k)}
	f.Add(hello{Version: helloVersion, Stage: stageEmpty, Self: v}.encode())
	f.Add(hello{Version: helloVersion, Stage: stagePrepared, Self: v, Decision: &decision{ID: "d", Cluster: "c", Voters: []helloVoter{v}}}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := decodeHello(b)
		if err != nil {
			return
		}
		if h.Stage == stagePrepared && h.Decision == nil {
			t.Fatal("a prepared node without a decision")
		}
		again, err := decodeHello(h.encode())
		if err != nil || again.Stage != h.Stage || again.Self.helloSeat != h.Self.helloSeat {
			t.Fatalf("%+v reads %+v, %v", h, again, err)
		}
	})
}
