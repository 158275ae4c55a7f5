package node

import (
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
)

// S3 and S4 through a whole node: a flipped bit costs its batch, is told once and counted, and clients go on around it.
func TestDamagedBatch(t *testing.T) {
	r := newRig(t)
	r.logs.info = true
	r.create("a", 1)
	for _, v := range []string{"zero", "one", "two"} {
		wantCode(t, r.write("a", 0, plain(v)).ErrorCode, kafka.ErrNone)
	}
	f := must.Get(r.fs.Open("data/a-0/00000000000000000000.log", disk.Write))
	size := must.Get(f.Size()) / 3
	r.restart()
	var b [1]byte
	at := size + size/2
	must.Get(f.ReadAt(b[:], at))
	b[0] ^= 1
	must.Get(f.WriteAt(b[:], at))
	for range 2 {
		wantCode(t, r.read("a", 0, 1).ErrorCode, kafka.ErrCorruptMessage)
	}
	r.said("A record of a-0 is damaged", "firstOffset=1", "nextOffset=2")
	if got := values(t, r.read("a", 0, 0).RecordBatches); len(got) != 1 || got[0] != "zero" {
		t.Errorf("before the damage stands %q", got)
	}
	wantCode(t, r.write("a", 0, plain("three")).ErrorCode, kafka.ErrNone)
	if got := values(t, r.read("a", 0, 2).RecordBatches); len(got) != 2 || got[1] != "three" {
		t.Errorf("behind the damage stands %q", got)
	}
	if n := (gauges{r.n}).Standing().Damages; n != 1 {
		t.Errorf("%d damages are counted", n)
	}
}
