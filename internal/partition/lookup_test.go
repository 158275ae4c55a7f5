package partition

import (
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/replica"
)

// A new leader may know less of what is committed than the old one did: until its high watermark has reached the start of its
// own epoch it tells nobody where the committed records end, for that might be before what a client has seen (KIP-207).
func TestANewLeaderTellsNoEndBeforeItKnowsIt(t *testing.T) {
	c := newCluster(t, replica.Synced, 1, 1, 2)
	c.become(1, 1, 1, 1, 2)
	c.append(1, -1, "a", "b")
	for range 2 { // the records, that they are durable, and that they are committed
		c.sync(2)
		c.w.Run(time.Second)
	}
	c.sync(2)
	c.append(1, -1, "c")
	c.sync(2)
	c.w.Run(time.Second)
	w, _, _ := AsFollower(c.nodes[2].p).Where()
	if _, err := AsLeader(c.nodes[1].p).Read(asks(2, w)); err != nil { // its answer, that the third is committed now, is lost
		t.Fatal(err)
	}
	if one, two := c.standing(1).High, c.standing(2).High; one != 3 || two != 2 {
		t.Fatalf("the high watermarks are %d and %d", one, two)
	}
	ends := func() (f [3]Found, errs [3]error) {
		for i, question := range []int64{Latest, MaxTimestamp, 500} {
			f[i], errs[i] = c.nodes[2].p.OffsetAt(question, false, kafka.NoLeaderEpoch)
		}
		return f, errs
	}
	c.become(2, 2, 2, 1, 2)
	_, errs := ends()
	for _, err := range errs {
		code(t, err, kafka.ErrOffsetNotAvailable)
	}
	if got, err := c.nodes[2].p.OffsetAt(Earliest, false, kafka.NoLeaderEpoch); err != nil || got.Offset != 0 {
		t.Fatalf("where the log begins it knows: %+v, %v", got, err)
	}
	for range 2 {
		c.sync(1)
		c.w.Run(time.Second)
	}
	found, errs := ends()
	for i, want := range []kafka.Offset{3, 0, 0} {
		if errs[i] != nil || found[i].Offset != want {
			t.Fatalf("question %d: %+v, %v", i, found[i], errs[i])
		}
	}
}
