package log

import (
	"testing"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// Sums of the same offsets agree when every byte does, and not otherwise; what is condemned is refused until it is mended.
func TestDigestsTellLogsApart(t *testing.T) {
	one, all := durableRig(t)
	sums := func(r *rig) (out []Digest) {
		for at := kafka.Offset(0); ; {
			d := must.Get(DigestOf(r.l, at, r.l.Offsets().End, 100))
			if d.Bytes == 0 {
				return out
			}
			out, at = append(out, d), d.Next
		}
	}
	right, theirs := sums(one), one.whole()
	if len(right) != 12 || right[11].Next != 36 {
		t.Fatalf("%+v", right)
	}
	base := one.l.segments[1].Base()
	one.mem = one.mem.Killed()
	one.edit(base, func(d []byte) []byte {
		b := record.Batch(d[:batchSize(d)])
		b[len(b)-2] ^= 1
		b.Seal()
		return d
	})
	one.open()
	other := sums(one)
	for i := range right {
		if at := kafka.Offset(3 * i); (right[i] == other[i]) == (at == base) || right[i].Next != other[i].Next || right[i].Bytes != other[i].Bytes {
			t.Errorf("offset %d: %+v and %+v", at, right[i], other[i])
		}
	}
	if d := must.Get(DigestOf(one.l, base+1, 36, 200)); d.Bytes != 0 {
		t.Errorf("from the middle of a batch: %+v", d)
	}
	if err := Condemn(one.l, base, base+2); !fault.IsKind(err, fault.Corrupt) {
		t.Errorf("half a batch is condemned: %v", err)
	}
	must.OK(Condemn(one.l, base, base+3))
	if _, there := one.readable()[base]; there || len(one.l.Damages()) != 1 {
		t.Errorf("what was condemned is served: %+v", one.l.Damages())
	}
	must.Get(Mend(one.l, base, between(theirs, base, base+3, 9)))
	one.wantReadable("mended", all, 0, 0)
}
