package segment

import (
	"bytes"
	"math"
	"testing"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// An index, whatever is in it, changes no answer once the segment is read from files (S2).
func TestDamagedIndexesChangeNoAnswer(t *testing.T) {
	damages := map[string]func(data []byte) []byte{
		"missing":      func([]byte) []byte { return nil },
		"empty":        func([]byte) []byte { return []byte{} },
		"cut":          func(d []byte) []byte { return d[:len(d)-5] },
		"cut at entry": func(d []byte) []byte { return d[:len(d)/24*24/2] },
		"zeros":        func(d []byte) []byte { return make([]byte, len(d)) },
		"preallocated": func(d []byte) []byte { return append(d, make([]byte, 240)...) },
		"ones":         func(d []byte) []byte { return bytes.Repeat([]byte{0xff}, len(d)) },
		"large":        func(d []byte) []byte { return bytes.Repeat([]byte{0x7f, 0xff, 0xff, 0xff}, len(d)/4) },
		"shifted":      func(d []byte) []byte { return append(append([]byte{}, d[4:]...), 0, 0, 0, 1) },
		"swapped": func(d []byte) []byte {
			out := append([]byte{}, d[len(d)/24*12:]...)
			return append(out, d[:len(d)/24*12]...)
		},
	}
	for name, damage := range damages {
		for _, suffix := range []string{IndexSuffix, TimeIndexSuffix} {
			t.Run(name+suffix, func(t *testing.T) {
				r := newRig(t, 100)
				r.fill(60)
				r.seal()
				path := r.s.Path(suffix)
				good := must.Get(readFile(r.fs, path))
				bad := damage(append([]byte{}, good...))
				must.OK(r.fs.Remove(path))
				if bad != nil {
					writeFile(r.fs, path, bad)
				}
				sealed := r.s
				next := r.s.Next()
				r.s = Existing(r.fs, dir, 100, sealed.size, next, false, 0)
				r.checkLookups()
				must.OK(r.fs.Remove(path))
				if bad != nil {
					writeFile(r.fs, path, bad)
				}
				r.s = Existing(r.fs, dir, 100, sealed.size, next, false, 0)
				if err := r.s.Activate(r.window); err != nil {
					t.Fatal(err)
				}
				r.checkLookups()
			})
		}
	}
}

// Every single flipped bit of an index.
func TestFlippedIndexBitsChangeNoAnswer(t *testing.T) {
	for _, suffix := range []string{IndexSuffix, TimeIndexSuffix} {
		r := newRig(t, 100)
		r.fill(24)
		r.seal()
		path, size, next := r.s.Path(suffix), r.s.size, r.s.Next()
		good := must.Get(readFile(r.fs, path))
		for bit := range 8 * len(good) {
			bad := append([]byte{}, good...)
			bad[bit/8] ^= 1 << (bit % 8)
			writeFile(r.fs, path, bad)
			r.s = Existing(r.fs, dir, 100, size, next, false, 0)
			if bit%3 == 0 {
				if err := r.s.Activate(r.window); err != nil {
					t.Fatalf("bit %d: %v", bit, err)
				}
			}
			r.checkSome(bit)
		}
	}
}

// checkSome is a cheap part of checkLookups.
func (r *rig) checkSome(i int) {
	r.t.Helper()
	k := r.look()
	defer k.Release()
	for from := r.s.Base() + kafka.Offset(i%3); from < r.s.Next(); from += 3 {
		r.checkRange(&k, from, math.MaxInt64, 300, true)
		r.checkRange(&k, from, from+9, 300, false)
	}
	for _, b := range r.batches {
		ts := b.MaxTimestamp()
		var want record.Batch
		for _, c := range r.batches {
			if c.MaxTimestamp() >= ts {
				want = c
				break
			}
		}
		if largest, err := k.Largest(); err != nil || largest.Timestamp < ts {
			r.t.Fatalf("bit %d: the largest timestamp is %v, %v, a batch has %d", i, largest, err, ts)
		}
		if got, err := k.BatchAt(ts, r.s.Base()); err != nil || !bytes.Equal(got, want) {
			r.t.Fatalf("bit %d: the first batch at %d is not the one that a scan finds: %v", i, ts, err)
		}
	}
}
