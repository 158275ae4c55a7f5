package segment

import (
	"bytes"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

func FuzzParseOffsetIndex(f *testing.F) {
	f.Add([]byte{0, 0, 0, 5, 0, 0, 1, 0, 0, 0, 0, 9, 0, 0, 2, 0}, int64(1000))
	f.Fuzz(func(t *testing.T, data []byte, size int64) {
		entries, err := ParseOffsetIndex(data, size)
		if err != nil {
			return
		}
		var again []byte
		for _, e := range entries {
			again = e.append(again)
		}
		if !bytes.Equal(again, data) {
			t.Fatal("entries don't give the file back")
		}
	})
}

func FuzzParseTimeIndex(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 3})
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := ParseTimeIndex(data)
		if err != nil {
			return
		}
		var again []byte
		for _, e := range entries {
			again = e.append(again)
		}
		if !bytes.Equal(again, data) {
			t.Fatal("entries don't give the file back")
		}
	})
}

func FuzzParseTxnIndex(f *testing.F) {
	f.Add(Aborted{Producer: 1, First: 4, Last: 9, LastStable: 10}.Append(nil), int64(3))
	f.Fuzz(func(t *testing.T, data []byte, base int64) {
		entries, err := ParseTxnIndex(data, kafka.Offset(base))
		if err != nil {
			return
		}
		var again []byte
		for _, a := range entries {
			again = a.Append(again)
		}
		if !bytes.Equal(again, data) {
			t.Fatal("entries don't give the file back")
		}
	})
}

// FuzzIndexes serves a good log with any bytes as indexes: the answers are those of a scan.
func FuzzIndexes(f *testing.F) {
	build := func(t *testing.T) *rig {
		r := newRig(t, 100)
		r.fill(12)
		r.seal()
		return r
	}
	r := build(&testing.T{})
	f.Add(must.Get(readFile(r.fs, r.s.Path(IndexSuffix))), must.Get(readFile(r.fs, r.s.Path(TimeIndexSuffix))), false)
	f.Add([]byte{}, []byte{0, 0, 0}, true)
	f.Fuzz(func(t *testing.T, index, times []byte, active bool) {
		r := build(t)
		writeFile(r.fs, r.s.Path(IndexSuffix), index)
		writeFile(r.fs, r.s.Path(TimeIndexSuffix), times)
		r.s = Existing(r.fs, dir, 100, r.s.size, r.s.Next(), false, 0)
		if active {
			must.OK(r.s.Activate(r.window))
		}
		k := r.look()
		defer k.Release()
		for from := r.s.Base(); from < r.s.Next(); from += 2 {
			r.checkRange(&k, from, math.MaxInt64, 300, true)
			r.checkRange(&k, from, from+9, 1<<20, false)
		}
	})
}

// FuzzRecover recovers any bytes: what is kept checks and is a prefix, recovery of it finds the same, and whatever is read
// afterwards is whole batches in order.
func FuzzRecover(f *testing.F) {
	var good []byte
	for i := range 4 {
		good = append(good, batchAt(kafka.Offset(3*i), 3, int64(1000+i), 20)...)
	}
	f.Add(good, int64(0))
	f.Add(good, int64(1))
	f.Add(good[:len(good)-9], int64(6))
	f.Add(slices.Concat(good[:100], good), int64(0))
	f.Add(slices.Concat(good, []byte(record.NewEndTxn(3, 0, false, record.EndTxnMarker{}, 5))), int64(100))
	f.Fuzz(func(t *testing.T, data []byte, trusted int64) {
		if trusted%2 != 0 {
			data = sealed(data)
		}
		window := make([]byte, 0, 256)
		fsys := disk.NewMem()
		must.OK(fsys.MkdirAll(dir))
		writeFile(fsys, dir+"/"+Name(0, LogSuffix), data)
		var kept []byte
		for range 2 {
			e := must.Get(fsys.Stat(dir + "/" + Name(0, LogSuffix)))
			s := Existing(fsys, dir, 0, e.Size, 0, false, 0)
			var seen []byte
			bad, err := s.Recover(kafka.Offset(trusted), wide, window, nil, func(b record.Batch) error {
				if b.LastOffset() >= kafka.Offset(trusted) && b.CheckCRC() != nil {
					t.Fatal("a batch that doesn't check was kept")
				}
				seen = append(seen, b...)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			// Zeros at the end are room that was allocated and not used: they go without a word.
			whole := len(bytes.TrimRight(data[s.Size():e.Size], "\x00")) == 0
			if len(s.Damages()) == 0 && !bytes.HasPrefix(data, seen) || bad == nil && !whole || bad != nil && s.Size() == e.Size ||
				kept != nil && !bytes.Equal(kept, seen) {
				t.Fatalf("kept %d of %d bytes, %v", len(seen), len(data), bad)
			}
			kept = append([]byte{}, seen...)
			must.OK(s.CutTail())
			readBack(t, s, window)
			s.Close()
		}
	})
}

// sealed gives every batch that has the shape of one the right CRC, so that what lies behind it is reached.
func sealed(data []byte) []byte {
	data = bytes.Clone(data)
	for rest := data; len(rest) > record.HeaderSize; {
		b, more, err := record.Next(rest)
		if err != nil {
			break
		}
		b.Seal()
		rest = more
	}
	return data
}

func readBack(t *testing.T, s *Segment, window []byte) {
	var mu sync.RWMutex
	k := must.Get(s.Look(mu.RLocker(), window))
	defer k.Release()
	for at := kafka.Offset(0); at < s.Next(); {
		r, err := k.Range(at, math.MaxInt64, 100, true)
		if d, damaged := s.damages.holding(at); damaged && fault.IsKind(err, fault.Corrupt) {
			at = d.Next
			continue
		}
		must.OK(err)
		if err := k.Check(&r, window, nil); fault.IsKind(err, fault.Corrupt) {
			return // believed, and damaged all the same
		}
		if r.End <= r.Pos || r.Next <= at {
			t.Fatalf("reading at %d gives %+v, the end is %d", at, r, s.Next())
		}
		at = r.Next
	}
	_, err := k.BatchAt(1000, 0)
	if err != nil && !fault.IsKind(err, fault.Corrupt) {
		t.Fatal(err)
	}
}
