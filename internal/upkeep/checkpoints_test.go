package upkeep

import (
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
)

// A recovery point never is ahead of what is durable: recovery would take what lies below it for there.
func TestARecoveryPointIsDurable(t *testing.T) {
	r := newRig(t, disk.NewMem(), "a")
	u := New(r.o)
	p := r.all[0]
	point := func() int64 {
		t.Helper()
		if err := u.checkpoint(r.s.Volumes[0], true); err != nil {
			t.Fatal(err)
		}
		return int64(r.s.Volumes[0].Dir.Checkpointed(p.Name()).RecoveryPoint)
	}
	r.write()
	if s := p.Standing(); s.End != 1 || s.Durable != 0 {
		t.Fatalf("under page-cache durability a record is durable too early for this test: %+v", s)
	}
	if at := point(); at != 0 {
		t.Errorf("the recovery point is %d, and nothing is durable", at)
	}
	p.FlushOld(true)
	r.w.Run(time.Second)
	if at := point(); at != 1 {
		t.Errorf("the recovery point is %d after a flush to 1", at)
	}
}
