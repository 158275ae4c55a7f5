package segment

import (
	"slices"
	"testing"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
)

// A flipped bit of a seal, or a byte less, makes it none.
func TestASealThatDoesNotCheckSaysNothing(t *testing.T) {
	whole := (&Seal{Base: 5, End: 9, Next: 12, Size: 700_000, Stretches: []Stretch{{0, 1}, {262_200, 2}}}).Append(nil)
	if s := must.Get(ParseSeal(whole)); s.Base != 5 || s.End != 9 || s.Next != 12 || s.Size != 700_000 || !slices.Equal(s.Stretches, []Stretch{{0, 1}, {262_200, 2}}) {
		t.Fatalf("%+v", s)
	}
	for bit := range 8 * len(whole) {
		bad := slices.Clone(whole)
		bad[bit/8] ^= 1 << (bit % 8)
		if _, err := ParseSeal(bad); err == nil {
			t.Errorf("bit %d is not missed", bit)
		}
	}
	for n := range whole {
		if _, err := ParseSeal(whole[:n]); err == nil {
			t.Errorf("%d bytes are taken for a seal", n)
		}
	}
}

// The sums of a segment that was cut, in its first stretch or a later one, are those of one that never had more.
func TestSumsAfterACut(t *testing.T) {
	const each = 100_000
	for cut := 1; cut <= 8; cut++ {
		r := newRig(t, 0)
		for i := range 8 {
			r.write(wide, batchAt(kafka.Offset(i), 1, int64(i), each))
		}
		r.cut(kafka.Offset(cut))
		for i := cut; i < 10; i++ {
			r.write(wide, batchAt(kafka.Offset(i), 1, int64(i), each))
		}
		seal := Seal{Size: r.s.size, Stretches: r.s.mem.sealing.stretches}
		if bad, err := seal.Against(r.s.file.file, r.window); bad >= 0 || err != nil || len(seal.Stretches) < 3 || seal.Stretches[0].Pos != 0 {
			t.Errorf("cut at %d: %+v differs at %d, %v", cut, seal, bad, err)
		}
	}
}
