package node_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
)

// tiny has the metadata log trimmed soon, and its snapshots fetched in many pieces.
var tiny = []string{
	"metadata.log.max.record.bytes.between.snapshots", "6000", "metadata.max.retention.bytes", "9000", "metadata.log.segment.bytes", "8388608",
	"controller.quorum.fetch.snapshot.max.bytes", "700",
}

// A voter, and a broker, that come back when the metadata log begins above what they have take a snapshot of it piece by piece, and
// are what they were: the voter's vote counts, the broker is in sync.
func TestANodeBehindTheMetadataLogComesBack(t *testing.T) {
	c := newCluster(t, 11)
	for id := range int32(5) {
		roles := "controller"
		if id >= 3 {
			roles = "broker"
		}
		c.add(id+1, roles, append([]string{voters, "1@h1:9093,2@h2:9093,3@h3:9093"}, tiny...)...)
	}
	c.startAll()
	c.w.Run(15 * time.Second) // what the brokers began with is not kept for them any more
	lead := c.controller(4)
	voter := lead%3 + 1
	c.kill(voter)
	c.kill(5)
	for i := range 12 {
		if code := c.tryCreate(4, fmt.Sprintf("t%02d", i), 20, 1); code != kafka.ErrNone {
			t.Fatal(code)
		}
	}
	c.w.Run(time.Second)
	for _, id := range []int32{voter, 5} {
		m := c.at(id)
		from := m.log.Len()
		c.start(int(id))
		c.serves(id)
		c.await("it is given a snapshot", 20*time.Second, func() bool {
			return strings.Contains(m.log.String()[from:], "metadata snapshot of the leader installed")
		})
	}
	// Of three voters the one that stayed is gone: nothing is committed without the one that came back.
	c.kill(6 - lead - voter)
	c.await("it commits with the leader", 20*time.Second, func() bool { return c.tryCreate(5, "after", 1, 1) == kafka.ErrNone })
	c.await("the broker knows what the snapshot brought", 10*time.Second, func() bool { return len(c.leaders(5, "t07")) == 20 })
}
