package segment

import (
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// reading is a file that counts the bytes read from it.
type reading struct {
	disk.File
	bytes int
}

func (f *reading) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	f.bytes += n
	return n, err
}

// TestAReaderGoesOnWhereItWas: a reader that takes batch after batch of an active or a sealed segment costs one header a
// read, of the batch that it has no room for.
func TestAReaderGoesOnWhereItWas(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		r := newRig(t, 0)
		for range 2 * tailSpots {
			r.write(wide, batchAt(r.s.Next(), 5, 1, 200))
		}
		if sealed {
			r.seal()
		}
		k := r.look()
		f := &reading{File: k.file}
		k.file = f
		at := kafka.Offset(0)
		for i := range tailSpots { // the newest boundaries of an active segment are in memory in any case
			f.bytes = 0
			got := must.Get(k.Range(at, k.Next(), int64(len(r.batches[i])), true))
			if got.Pos != int64(i*len(r.batches[i])) || got.Next != r.batches[i].NextOffset() {
				t.Fatalf("read %d is %+v", i, got)
			}
			k.Served(&got)
			most := record.HeaderSize
			if sealed {
				most += cap(r.window) // a sealed segment's index is believed only where a batch begins
			}
			if i > 0 && f.bytes > most {
				t.Errorf("sealed %v: read %d took %d bytes of headers", sealed, i, f.bytes)
			}
			at = got.Next
		}
		k.Release()
	}
}

// TestATrailEndsAtACut: what readers left before a truncation leads nobody, also when it is left after it.
func TestATrailEndsAtACut(t *testing.T) {
	r := newRig(t, 0)
	r.fill(3 * tailSpots)
	early := r.look()
	defer early.Release()
	left := must.Get(early.Range(20, 60, 1<<20, true))
	early.Served(&left)
	r.cut(10)
	for i, b := range r.batches {
		if b.LastOffset() >= 10 {
			r.batches = r.batches[:i]
			break
		}
	}
	early.Served(&left) // a reader beside the cut that ends only now
	for range 3 * tailSpots {
		r.write(wide, batchAt(r.s.Next(), 1, 5, 33))
	}
	k := r.look()
	defer k.Release()
	r.checkRange(&k, left.Next, r.s.Next(), 1<<20, true)
}
