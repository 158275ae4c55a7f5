package segment

import (
	"bytes"
	"errors"
	"io"
	"math"
	"sync"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

const dir = "p-0"

var wide = Limits{SegmentBytes: 1 << 30, SegmentMs: 1 << 40, IndexBytes: 1 << 20, IndexIntervalBytes: 256}

// batchAt builds a batch of n records whose values have size bytes each.
func batchAt(base kafka.Offset, n int, ts int64, size int) record.Batch {
	o := record.Plain()
	o.BaseOffset, o.LeaderEpoch = base, 3
	b := record.NewBuilder(o)
	for i := range n {
		b.Append(ts, nil, bytes.Repeat([]byte{byte('a' + i%26)}, size))
	}
	return must.Get(b.Build())
}

// rig is a segment with what was written to it.
type rig struct {
	t       *testing.T
	fs      *disk.Mem
	s       *Segment
	mu      sync.RWMutex
	batches []record.Batch
	window  []byte
}

func newRig(t *testing.T, base kafka.Offset) *rig {
	t.Helper()
	r := &rig{t: t, fs: disk.NewMem(), window: make([]byte, 0, 512)}
	must.OK(r.fs.MkdirAll(dir))
	r.s = must.Get(Create(r.fs, dir, base, 1000))
	return r
}

func (r *rig) write(l Limits, b record.Batch) {
	r.t.Helper()
	if err := r.s.Write(b); err != nil {
		r.t.Fatal(err)
	}
	r.s.Publish(b, l)
	r.batches = append(r.batches, b)
}

// fill writes n batches of three records each, with gaps in offsets and timestamps that rise and fall.
func (r *rig) fill(n int) {
	at := r.s.Next()
	for i := range n {
		ts := int64(10_000 + 100*i - 350*(i%4))
		r.write(wide, batchAt(at, 3, ts, 20+i%50))
		at = r.s.Next() + kafka.Offset(i%5)
	}
}

func (r *rig) seal() {
	must.OK(r.s.Finish())
	r.s.Seal().Release()
}

func (r *rig) look() Look {
	r.t.Helper()
	k, err := r.s.Look(r.mu.RLocker(), r.window)
	if err != nil {
		r.t.Fatal(err)
	}
	return k
}

// reopen forgets everything and opens the segment as the sealed last one of a log.
func (r *rig) reopen() {
	r.t.Helper()
	e := must.Get(r.fs.Stat(dir + "/" + Name(r.s.base, LogSuffix)))
	r.s = Existing(r.fs, dir, r.s.base, e.Size, r.s.base, false, 1000)
	next, err := r.s.End(r.window)
	if err != nil {
		r.t.Fatal(err)
	}
	r.s.SetNext(next)
}

// checkLookups compares every answer with a walk over what was written.
func (r *rig) checkLookups() {
	r.t.Helper()
	k := r.look()
	defer k.Release()
	for from := r.s.Base(); from <= r.s.Next(); from++ {
		for _, upper := range []kafka.Offset{from, from + 1, from + 7, r.s.Next(), math.MaxInt64} {
			for _, limit := range []int64{0, 100, 700, math.MaxInt64} {
				for _, one := range []bool{false, true} {
					r.checkRange(&k, from, upper, limit, one)
				}
			}
		}
	}
	largest := NoStamp
	for _, b := range r.batches {
		if b.MaxTimestamp() > largest.Timestamp {
			largest = Stamp{b.MaxTimestamp(), b.LastOffset()}
		}
	}
	if got, err := k.Largest(); err != nil || got != largest {
		r.t.Fatalf("largest is %+v, %v, want %+v", got, err, largest)
	}
	for ts := int64(9000); ts <= largest.Timestamp+100; ts += 50 {
		for from := r.s.Base(); from < r.s.Next(); from += 11 {
			var want record.Batch
			for _, b := range r.batches {
				if b.MaxTimestamp() >= ts && b.LastOffset() >= from {
					want = b
					break
				}
			}
			got, err := k.BatchAt(ts, from)
			if err != nil || !bytes.Equal(got, want) {
				r.t.Fatalf("the first batch from %d on at %d: got %d bytes, %v, want %d bytes", from, ts, len(got), err, len(want))
			}
		}
	}
}

func (r *rig) checkRange(k *Look, from, upper kafka.Offset, limit int64, one bool) {
	r.t.Helper()
	var want []byte
	for _, b := range r.batches {
		if b.LastOffset() < from {
			continue
		}
		if b.LastOffset() >= upper || int64(len(want)+len(b)) > limit && (!one || len(want) > 0) {
			break
		}
		want = append(want, b...)
	}
	got, err := k.Range(from, upper, limit, one)
	if err != nil {
		r.t.Fatalf("range(%d, %d, %d, %v): %v", from, upper, limit, one, err)
	}
	data := make([]byte, got.End-got.Pos)
	if len(data) > 0 {
		if _, err := k.File().ReadAt(data, got.Pos); err != nil && !errors.Is(err, io.EOF) {
			r.t.Fatal(err)
		}
	}
	if !bytes.Equal(data, want) {
		r.t.Fatalf("range(%d, %d, %d, %v) has %d bytes, want %d", from, upper, limit, one, len(data), len(want))
	}
	if len(want) > 0 {
		last := record.Batch(nil)
		for rest := want; len(rest) > 0; {
			last, rest = must2(record.Next(rest))
		}
		if next := kafka.Offset(math.MaxInt64); got.Next < last.NextOffset() || got.Next > r.after(last.NextOffset(), next) {
			r.t.Fatalf("range(%d, %d, %d, %v) goes on at %d, want %d", from, upper, limit, one, got.Next, last.NextOffset())
		}
	}
}

// after returns the offset of the first batch at or after o.
func (r *rig) after(o, none kafka.Offset) kafka.Offset {
	for _, b := range r.batches {
		if b.BaseOffset() >= o {
			return b.BaseOffset()
		}
	}
	return none
}

func must2(b record.Batch, rest []byte, err error) (record.Batch, []byte) {
	must.OK(err)
	return b, rest
}

func TestLookupsEqualALinearScan(t *testing.T) {
	for _, base := range []kafka.Offset{0, 5_000_000_000} {
		r := newRig(t, base)
		r.fill(60)
		r.checkLookups()
		r.seal()
		r.checkLookups()
		r.reopen()
		r.checkLookups()
		must.OK(r.s.Activate(r.window))
		r.checkLookups()
		r.fill(20)
		r.checkLookups()
	}
}

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

func readFile(fsys disk.FS, path string) ([]byte, error) {
	f, err := fsys.Open(path, 0)
	if err != nil {
		return nil, err
	}
	return readAll(f)
}

func writeFile(fsys disk.FS, path string, data []byte) {
	f := must.Get(fsys.Open(path, disk.Write|disk.Create|disk.Trunc))
	must.Get(f.WriteAt(data, 0))
	must.OK(f.Close())
}

// Point 25 of the places where clones go wrong: when a segment is full.
func TestFull(t *testing.T) {
	l := Limits{SegmentBytes: 1000, SegmentMs: 500, JitterMs: 100, IndexBytes: 32, IndexIntervalBytes: 0}
	small := batchAt(0, 1, 5000, 10)
	for _, c := range []struct {
		name  string
		prep  func(r *rig)
		batch record.Batch
		nowMs int64
		want  bool
	}{
		{"empty takes any time", func(*rig) {}, batchAt(0, 1, 99_999, 10), 999_999, false},
		{"fits to the byte", func(*rig) {}, batchAt(0, 1, 5000, 1000-len(small)+10-2), 1000, false},
		{"a byte too long", func(*rig) {}, batchAt(0, 1, 5000, 1000), 1000, true},
		{"room after one", func(r *rig) { r.write(l, small) }, batchAt(1, 1, 5400, 10), 1000, false},
		{"time since the first batch, less jitter", func(r *rig) { r.write(l, small) }, batchAt(1, 1, 5401, 10), 1000, true},
		{"time since the first, not the newest", func(r *rig) { r.write(l, small); r.write(l, batchAt(1, 1, 5300, 10)) }, batchAt(2, 1, 5401, 10), 1000, true},
		{"without timestamps since it was made", func(r *rig) { r.write(l, batchAt(0, 1, -1, 10)) }, batchAt(1, 1, -1, 10), 1401, true},
		{"without timestamps not yet", func(r *rig) { r.write(l, batchAt(0, 1, -1, 10)) }, batchAt(1, 1, -1, 10), 1400, false},
		{"offset index full", func(r *rig) {
			for i := range 5 {
				r.write(Limits{IndexIntervalBytes: 0}, batchAt(kafka.Offset(i), 1, 5000, 10))
			}
		}, batchAt(5, 1, 5000, 10), 1000, true},
		{"time index full", func(r *rig) { r.write(l, small); r.write(l, batchAt(1, 1, 5001, 10)) }, batchAt(2, 1, 5000, 10), 1000, true},
		{"last offset that fits", func(*rig) {}, batchAt(math.MaxInt32, 1, 5000, 10), 1000, false},
		{"offset too far", func(*rig) {}, batchAt(math.MaxInt32+1, 1, 5000, 10), 1000, true},
	} {
		r := newRig(t, 0)
		c.prep(r)
		if got := r.s.Full(l, c.batch, c.nowMs); got != c.want {
			t.Errorf("%s: full is %v", c.name, got)
		}
	}
}

func TestAgedNeedsAnOldRecordAndAnOldFile(t *testing.T) {
	l := Limits{SegmentMs: 500}
	r := newRig(t, 0)
	if r.s.Aged(l, 1<<40) {
		t.Error("an empty segment was aged")
	}
	r.write(l, batchAt(0, 1, 10, 10))
	for now, want := range map[int64]bool{1001: false, 1500: false, 1501: true} {
		if got := r.s.Aged(l, now); got != want {
			t.Errorf("aged at %d is %v", now, got)
		}
	}
	r.seal()
	if r.s.Aged(l, 1<<40) {
		t.Error("a sealed segment was aged")
	}
}

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
			writeFile(fsys, dir+"/"+Name(7, LogSuffix), data)
			for again := range 2 { // recovery of what recovery left finds the same
				e := must.Get(fsys.Stat(dir + "/" + Name(7, LogSuffix)))
				s := Existing(fsys, dir, 7, e.Size, 7, false, 0)
				seen := 0
				bad, err := s.Recover(0, wide, r.window, func(b record.Batch) error {
					if !bytes.Equal(b, r.batches[seen]) {
						t.Fatalf("batch %d is another", seen)
					}
					seen++
					return nil
				})
				if err != nil || seen != want || (bad != nil) != (again == 0 && e.Size != 0 && seen < len(r.batches) && int64(len(data)) > begin) {
					t.Fatalf("%s at %d: %d batches, bad %v, error %v, want %d batches", fill, at, seen, bad, err, want)
				}
				must.OK(s.CutTail())
				s.Close()
			}
		}
	}
}

// Bytes below the trusted offset are believed, those above it are not; structure counts everywhere.
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
		{1*size + 70, 0, 1}, {1*size + 70, 1, 1}, {1*size + 70, 2, 4}, {3*size + 70, 3, 3}, {3*size + 70, 4, 4},
		{1*size + 16, 4, 1}, {1*size + 9, 4, 1}, {2*size + 3, 0, 2},
	} {
		fsys := disk.NewMem()
		must.OK(fsys.MkdirAll(dir))
		data := must.Get(readFile(r.fs, r.s.Path(LogSuffix)))
		data[c.flip] ^= 0x40
		writeFile(fsys, dir+"/"+Name(0, LogSuffix), data)
		s := Existing(fsys, dir, 0, int64(len(data)), 0, false, 0)
		n := 0
		bad, err := s.Recover(c.trusted, wide, r.window, func(record.Batch) error { n++; return nil })
		if err != nil || n != c.want || (bad == nil) != (n == 4) {
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
		err := k.Check(&rg, r.window)
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
			k := r.look()
			want, err := k.Boundary(cut)
			k.Release()
			must.OK(err)
			must.OK(r.s.Activate(r.window))
			if err := r.s.Cut(cut, r.window); err != nil {
				t.Fatal(err)
			}
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

// The indexes of an active segment go to disk in parts; together they are what one write of everything gives.
func TestSpilledIndexesAreComplete(t *testing.T) {
	dense := Limits{IndexIntervalBytes: 0}
	a, b := newRig(t, 0), newRig(t, 0)
	for i := range 3*spillEntries + 17 {
		batch := batchAt(kafka.Offset(i), 1, int64(1000+i), 1)
		a.write(dense, batch)
		b.write(dense, batch)
		must.OK(a.s.Spill())
		if i == 700 {
			must.OK(a.s.Finish()) // a roll that failed after it
		}
	}
	a.seal()
	b.seal()
	for _, suffix := range []string{IndexSuffix, TimeIndexSuffix} {
		if !bytes.Equal(must.Get(readFile(a.fs, a.s.Path(suffix))), must.Get(readFile(b.fs, b.s.Path(suffix)))) {
			t.Errorf("%s differs", suffix)
		}
	}
}

func TestDeletedSegmentIsReadableWhileHeld(t *testing.T) {
	r := newRig(t, 0)
	r.fill(3)
	r.seal()
	k := r.look()
	remove := must.Get(r.s.Delete())
	r.checkRange(&k, 0, math.MaxInt64, 1<<20, false)
	must.OK(remove())
	data := make([]byte, 10)
	if _, err := k.File().ReadAt(data, 0); err != nil || !bytes.Equal(data, r.batches[0][:10]) {
		t.Errorf("read %v of a deleted file that is held", err)
	}
	k.Release()
	if err := r.s.Sync(); err != nil {
		t.Errorf("the flush of a deleted segment failed: %v", err)
	}
	if list := must.Get(r.fs.List(dir)); len(list) != 0 {
		t.Errorf("%v is left", list)
	}
}

func TestNames(t *testing.T) {
	if n := Name(42, IndexSuffix); n != "00000000000000000042.index" {
		t.Errorf("name %q", n)
	}
	for name, want := range map[string]string{
		"00000000000000000042.log": ".log", "00000000000000000042.log.deleted": ".log.deleted",
		"0000000000000000042.log": "", "000000000000000000042.log": "", "00000000000000000042": "", "0000000000000000004x.log": "",
		"99999999999999999999.log": "",
	} {
		if o, suffix, ok := ParseName(name); ok != (want != "") || suffix != want || ok && o != 42 {
			t.Errorf("%s is %d, %q, %v", name, o, suffix, ok)
		}
	}
}
