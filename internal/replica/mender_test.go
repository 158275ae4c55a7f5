package replica_test

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/replica"
)

// TestWhatIsFoundDamagedDuringATurnIsMendedToo: a reader tells of every stretch once, and the second while the first is being asked for.
func TestWhatIsFoundDamagedDuringATurnIsMendedToo(t *testing.T) {
	c := newCity(t, 1, 1, 2)
	for range 40 {
		c.write(0)
		c.w.Run(20 * time.Millisecond)
	}
	c.w.Run(5 * time.Second)
	victim := c.node(2)
	m := replica.NewMender(replica.MenderOptions{
		World: c.w, Peers: victim.peers, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Sources:  func(kafka.TopicIDPartition) []replica.Source { return []replica.Source{{Node: 1, Addr: addr(1)}} },
		Settings: func() replica.Settings { return replica.Settings{Timeout: 3 * time.Second} },
	})
	id, p := kafka.TopicIDPartition{TopicID: topic}, victim.parts[0]
	must.OK(partition.Condemn(p, 2, 3))
	m.Damaged(id, p)
	c.w.Run(300 * time.Microsecond) // its turn has begun
	if n := len(partition.Damages(p)); n != 1 {
		t.Fatalf("%d stretches are damaged before the second is found", n)
	}
	must.OK(partition.Condemn(p, 7, 8))
	m.Damaged(id, p)
	c.w.Run(10 * time.Minute)
	if left := partition.Damages(p); len(left) > 0 || m.Figures().Left != 0 || m.Figures().Mended != 2 {
		t.Errorf("%+v, and damaged are %v", m.Figures(), left)
	}
}
