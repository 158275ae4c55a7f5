package segment

import (
	"bytes"
	"errors"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// S1: a torn tail at every byte of the last batch leaves the batches before it.
func TestTornTailAtEveryByte(t *testing.T) {
	r := newRig(t, 7)
	r.fill(12)
	must.OK(r.s.Sync())
	last := r.batches[len(r.batches)-1]
	begin := r.s.Size() - int64(len(last))
	whole := must.Get(readFile(r.fs, r.s.Path(LogSuffix)))
	for _, fill := range []string{"cut", "zeros", "ones"} {
		for at := begin; at <= begin+int64(len(last)); at++ {
			fsys := disk.NewMem()
			must.OK(fsys.MkdirAll(dir))
			data := append([]byte{}, whole[:at]...)
			for len(data) < len(whole) && fill != "cut" {
				data = append(data, map[string]byte{"zeros": 0, "ones": 0xff}[fill])
			}
			want := len(r.batches) - 1
			if bytes.Equal(data, whole) {
				want++
			}
			allocated := len(bytes.TrimLeft(data[begin:], "\x00")) == 0 // and never written, as far as anybody can tell
			writeFile(fsys, dir+"/"+Name(7, LogSuffix), data)
			for again := range 2 { // recovery of what recovery left finds the same
				e := must.Get(fsys.Stat(dir + "/" + Name(7, LogSuffix)))
				s := Existing(fsys, dir, 7, e.Size, 7, false, 0)
				seen := 0
				bad, err := s.Recover(0, wide, r.window, nil, func(b record.Batch) error {
					if !bytes.Equal(b, r.batches[seen]) {
						t.Fatalf("batch %d is another", seen)
					}
					seen++
					return nil
				})
				if err != nil || seen != want || (bad != nil) != (again == 0 && !allocated && e.Size != 0 && seen < len(r.batches) && int64(len(data)) > begin) {
					t.Fatalf("%s at %d: %d batches, bad %v, error %v, want %d batches", fill, at, seen, bad, err, want)
				}
				must.OK(s.CutTail())
				s.Close()
			}
		}
	}
}

// Below the trusted offset a bad batch is damage that the walk goes on behind, above it the log ends there.
func TestRecoverTrustsWhatWasDurable(t *testing.T) {
	r := newRig(t, 0)
	for i := range 4 {
		r.write(wide, batchAt(kafka.Offset(i), 1, 1000, 40))
	}
	size := int64(len(r.batches[0]))
	for _, c := range []struct {
		flip    int64 // byte
		trusted kafka.Offset
		want    int
	}{
		{1*size + 70, 0, 1}, {1*size + 70, 1, 1}, {1*size + 70, 2, 3}, {3*size + 70, 3, 3}, {3*size + 70, 4, 3},
		{1*size + 16, 4, 3}, {1*size + 9, 4, 3}, {2*size + 3, 0, 2},
	} {
		fsys := disk.NewMem()
		must.OK(fsys.MkdirAll(dir))
		data := must.Get(readFile(r.fs, r.s.Path(LogSuffix)))
		data[c.flip] ^= 0x40
		writeFile(fsys, dir+"/"+Name(0, LogSuffix), data)
		s := Existing(fsys, dir, 0, int64(len(data)), 0, false, 0)
		n := 0
		bad, err := s.Recover(c.trusted, wide, r.window, nil, func(record.Batch) error { n++; return nil })
		damages, hit := s.Damages(), c.flip/size
		if err != nil || n != c.want || (bad == nil) != (kafka.Offset(hit) < c.trusted) || (bad == nil) != (len(damages) == 1) {
			t.Errorf("byte %d flipped, trusted %d: %d batches, %v, %v, %v", c.flip, c.trusted, n, bad, err, damages)
			continue
		}
		if bad == nil && (damages[0].Pos != hit*size || damages[0].End != (hit+1)*size || damages[0].First != kafka.Offset(hit) || damages[0].Next != kafka.Offset(hit)+1) {
			t.Errorf("byte %d flipped, trusted %d: %d batches, %v, %v", c.flip, c.trusted, n, bad, err)
		}
	}
}

func TestCheckNeverServesADamagedBatch(t *testing.T) {
	r := newRig(t, 0)
	for i := range 3 {
		r.write(wide, batchAt(kafka.Offset(2*i), 2, 1000, 15))
	}
	r.seal()
	size := int64(len(r.batches[0]))
	data := must.Get(readFile(r.fs, r.s.Path(LogSuffix)))
	for bit := range 8 * 3 * size {
		at := bit / 8
		in := at % size
		if in >= 12 && in < 16 || in == 0 && at/size == 0 { // the leader epoch and the sign of the first offset: covered elsewhere
			continue
		}
		bad := append([]byte{}, data...)
		bad[at] ^= 1 << (bit % 8)
		writeFile(r.fs, r.s.Path(LogSuffix), bad)
		s := Existing(r.fs, dir, 0, int64(len(bad)), 6, false, 0)
		k := must.Get(s.Look(r.mu.RLocker(), r.window))
		rg := Range{Pos: 0, End: int64(len(bad)), First: 0, Next: 6}
		err := k.Check(&rg, r.window, nil)
		k.Release()
		hit := at / size
		switch {
		case err != nil && fault.IsKind(err, fault.Corrupt):
		case err != nil:
			t.Fatalf("bit %d: %v", bit, err)
		case rg.End > hit*size:
			t.Fatalf("bit %d: batch %d was served", bit, hit)
		}
	}
}

func TestCutLeavesWhatStandsBefore(t *testing.T) {
	for cut := kafka.Offset(7); cut < 140; cut += 3 {
		for _, sealed := range []bool{false, true} {
			r := newRig(t, 7)
			r.fill(30)
			r.s.AddAborted(Aborted{Producer: 1, First: 8, Last: 20, LastStable: 21})
			r.s.AddAborted(Aborted{Producer: 1, First: 30, Last: 60, LastStable: 61})
			if sealed {
				r.seal()
			}
			want := r.cut(cut)
			kept := r.batches[:0:0]
			for _, b := range r.batches {
				if b.LastOffset() < cut {
					kept = append(kept, b)
				}
			}
			r.batches = kept
			if got := min(r.s.Next(), cut); got < want || len(kept) > 0 && want != kept[len(kept)-1].NextOffset() {
				t.Fatalf("cut at %d ends at %d, the boundary was said to be %d", cut, r.s.Next(), want)
			}
			aborted := must.Get(r.s.Aborted())
			for _, a := range aborted {
				if a.Last >= cut {
					t.Fatalf("cut at %d leaves %+v", cut, a)
				}
			}
			r.checkSome(int(cut))
			r.fill(5)
			r.checkSome(int(cut))
			r.seal()
			r.checkSome(int(cut))
			if onDisk := must.Get(readFileOrNone(r.fs, r.s.Path(TxnIndexSuffix))); len(onDisk) != len(aborted)*AbortedSize {
				t.Fatalf("%d bytes of transaction index for %d transactions", len(onDisk), len(aborted))
			}
		}
	}
}

func readFileOrNone(fsys disk.FS, path string) ([]byte, error) {
	data, err := readFile(fsys, path)
	if errors.Is(err, disk.ErrNotExist) {
		return nil, nil
	}
	return data, err
}
