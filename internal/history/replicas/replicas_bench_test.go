package replicas

import (
	"testing"

	"github.com/milena-io/milena/internal/kafka"
)

// BenchmarkCheck is one state of a partition whose log has ten thousand batches, of which one is new: what a simulator pays for
// each moment that it shows.
func BenchmarkCheck(b *testing.B) {
	w := NewWatch(0)
	epochs := make([]kafka.LeaderEpoch, 10_000)
	for i := range epochs {
		epochs[i] = 1
	}
	s := right()
	for i := range s.Replicas {
		leads := s.Replicas[i].Leads
		s.Replicas[i] = node(s.Replicas[i].Node, 10_000, log(epochs...))
		if leads {
			lead(&s, 1, 1)
		}
	}
	if found := w.Check(s); len(found) > 0 {
		b.Fatal(found)
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Index++
		for i := range s.Replicas {
			r := &s.Replicas[i]
			r.Changed, r.Batches = r.End, []Batch{{Base: r.End, Last: r.End, Epoch: 1, CRC: uint32(r.End)}}
			r.End++
			r.Durable, r.High = r.End, r.End
		}
		s.Replicas[0].Visible = s.Replicas[0].End
		if found := w.Check(s); len(found) > 0 {
			b.Fatal(found)
		}
	}
}
