package partition

import (
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/replica"
	"github.com/milena-io/milena/internal/record"
)

// BenchmarkFollowing is one batch of a kilobyte on its way through a leader to a follower: the append, the follower's fetch,
// its append, and its report.
func BenchmarkFollowing(b *testing.B) {
	c := newCluster(b, replica.Cached, 2, 1, 2)
	c.become(1, 1, 1, 1, 2)
	template := batch(b, string(make([]byte, 1000)))
	buf := make(record.Batch, len(template))
	f, l := AsFollower(c.nodes[2].p), AsLeader(c.nodes[1].p)
	done := func(a Appended) {
		if a.Err != nil {
			b.Fatal(a.Err)
		}
	}
	var records []byte
	b.ReportAllocs()
	b.SetBytes(int64(len(template)))
	for i := range b.N {
		copy(buf, template)
		c.nodes[1].p.Append(Append{Batch: buf, Acks: 1, Epoch: kafka.NoLeaderEpoch}, done)
		w, _, err := f.Where()
		if err != nil {
			b.Fatal(err)
		}
		got, err := l.Read(asks(2, w))
		if err != nil {
			b.Fatal(err)
		}
		if records, err = got.Slice.AppendTo(records[:0]); err != nil {
			b.Fatal(err)
		}
		got.Slice.Release()
		if _, ok, err := f.Take(Answer{Asked: w.Position, Records: records, High: got.High, LogStart: got.LogStart}); !ok || err != nil {
			b.Fatal(ok, err)
		}
		if i%1000 == 999 {
			c.w.Run(time.Millisecond)
		}
	}
}
