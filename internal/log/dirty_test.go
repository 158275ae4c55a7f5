package log

import (
	"math"
	"testing"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/clean"
	"github.com/milena-io/milena/internal/must"
)

// What the files say of a log that is not open is what the log says that is, where times and transactions don't matter.
func TestDirtOfALogThatIsNotOpen(t *testing.T) {
	r := newRig(t, compacting)
	for i := range 40 {
		r.put(string(rune('a' + i%3)))
	}
	r.flush()
	policy := r.cfg.Clean
	asked := func() clean.Dirt {
		t.Helper()
		want := must.Get(Dirt(r.l, r.now, r.l.Offsets().End, policy))
		r.restart("clean")
		got, due, err := r.dir.Dirt(tp, policy)
		if err != nil || got != want || due != want.Due(policy) {
			t.Fatalf("the files say %+v, %v, %v; the log says %+v", got, due, err, want)
		}
		return got
	}
	if d := asked(); d.CleanableBytes == 0 || d.First != 0 {
		t.Fatalf("nothing is dirty: %+v", d)
	}
	half := r.l.segments[1].Base()
	must.OK(r.l.setCleaned(half))
	if d := asked(); d.First != half || d.CleanBytes == 0 {
		t.Errorf("clean up to %d: %+v", half, d)
	}
	must.OK(r.l.setCleaned(r.l.active().Base()))
	policy.DirtyRatio = 0
	if d := asked(); d.CleanableBytes != 0 {
		t.Errorf("all is clean: %+v", d)
	}
	policy.MaxLagMs, policy.DirtyRatio = 1, 1
	must.OK(r.l.setCleaned(half))
	if _, due, err := r.dir.Dirt(tp, policy); err != nil || !due {
		t.Errorf("a log with a max.compaction.lag.ms is to be asked how old it is: %v, %v", due, err)
	}
	policy.MaxLagMs = math.MaxInt64
	if d, due, err := r.dir.Dirt(kafka.TopicPartition{Topic: "nobody", Partition: 3}, policy); err != nil || due || d != (clean.Dirt{}) {
		t.Errorf("a log without files: %+v, %v, %v", d, due, err)
	}
}
